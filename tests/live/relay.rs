//! A relay between a client and Kafka that breaks off at a chosen request.
//!
//! Promise: all of a client's connections pass through it, as it puts its own port into what Kafka says of its brokers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Kafka's number of OffsetCommit.
const OFFSET_COMMIT: u16 = 8;

/// Where to break off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before Kafka gets the n-th commit, counted from 1.
    Request(usize),
    /// After Kafka got it, and before the client hears of it.
    Answer(usize),
}

/// Shared by the threads of a relay.
struct Relay {
    broker: String,
    port: u16,
    cut: Cut,
    commits: AtomicUsize,
    broken: AtomicBool,
}

/// Begins to relay; gives the address to connect to.
pub fn relay(broker: &str, cut: Cut) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let relay =
        Relay { broker: broker.to_owned(), port, cut, commits: AtomicUsize::new(0), broken: AtomicBool::new(false) };
    let relay = Arc::new(relay);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let relay = Arc::clone(&relay);
            thread::spawn(move || relay.serve(&client));
        }
    });
    format!("127.0.0.1:{port}")
}

impl Relay {
    fn serve(self: Arc<Self>, client: &TcpStream) {
        if self.broken.load(Ordering::SeqCst) {
            return;
        }
        let Ok(broker) = TcpStream::connect(&self.broker) else { return };
        let (Ok(from), Ok(to)) = (broker.try_clone(), client.try_clone()) else { return };
        let back = Arc::clone(&self);
        let answers = thread::spawn(move || back.pass_answers(from, to));
        self.pass_requests(client, &broker);
        let _ = client.shutdown(Shutdown::Both);
        let _ = broker.shutdown(Shutdown::Both);
        let _ = answers.join();
    }

    fn pass_requests(&self, mut client: &TcpStream, mut broker: &TcpStream) {
        while let Some(request) = frame(&mut client) {
            if request.get(..2) == Some(&OFFSET_COMMIT.to_be_bytes()[..]) {
                let count = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
                if self.cut == Cut::Request(count) {
                    self.broken.store(true, Ordering::SeqCst);
                    return;
                }
                if self.cut == Cut::Answer(count) {
                    self.broken.store(true, Ordering::SeqCst);
                }
            }
            if !send(&mut broker, &request) {
                return;
            }
        }
    }

    fn pass_answers(&self, mut broker: TcpStream, mut client: TcpStream) {
        while let Some(mut answer) = frame(&mut broker) {
            if self.broken.load(Ordering::SeqCst) {
                break;
            }
            self.put_port(&mut answer);
            if !send(&mut client, &answer) {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = broker.shutdown(Shutdown::Both);
    }

    /// Puts the relay's port where the broker's stands, behind its host.
    fn put_port(&self, answer: &mut [u8]) {
        let (host, port) = self.broker.split_once(':').expect("host:port");
        let port: u32 = port.parse().expect("a port");
        let address = [host.as_bytes(), &port.to_be_bytes()].concat();
        let places: Vec<_> = (0..answer.len()).filter(|at| answer[*at..].starts_with(&address)).collect();
        for at in places {
            answer[at + host.len()..at + address.len()].copy_from_slice(&u32::from(self.port).to_be_bytes());
        }
    }
}

/// What a length stands before.
fn frame(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

fn send(stream: &mut impl Write, frame: &[u8]) -> bool {
    let length = u32::try_from(frame.len()).expect("frames are small").to_be_bytes();
    stream.write_all(&[&length, frame].concat()).is_ok()
}
