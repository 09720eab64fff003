//! A bad line: a relay to a server that breaks off connections.
//!
//! Promise: each of the first connections breaks off after so many bytes from the server; all later ones hold.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Begins to relay to `server`; gives the address to connect to.
pub fn bad_line(server: &str, breaks: usize, after: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let (server, left) = (server.to_owned(), Arc::new(AtomicUsize::new(breaks)));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (server, left) = (server.clone(), Arc::clone(&left));
            thread::spawn(move || {
                let Ok(server) = TcpStream::connect(server) else { return };
                let (Ok(to), Ok(from)) = (server.try_clone(), client.try_clone()) else { return };
                thread::spawn(move || pass(from, to, || usize::MAX));
                let take = |left: usize| left.checked_sub(1);
                // How much may pass is known when something does: idle connections cost no break.
                pass(server, client, || {
                    let breaks = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok();
                    if breaks { after } else { usize::MAX }
                });
            });
        }
    });
    address
}

fn pass(mut from: TcpStream, mut to: TcpStream, most: impl FnOnce() -> usize) {
    let mut buffer = vec![0; 16 << 10];
    let mut most = Some(most);
    let mut left = None;
    while let Ok(got @ 1..) = from.read(&mut buffer) {
        let left = left.get_or_insert_with(|| most.take().map_or(0, |most| most()));
        let now = got.min(*left);
        *left -= now;
        if to.write_all(&buffer[..now]).is_err() || now < got {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
