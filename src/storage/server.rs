//! Connections that others open to this process, each served beside the others.
//!
//! Promise: whoever is served cannot keep the process from ending, nor take more connections than are allowed.
//! Invariant: nothing blocks the threads of the tasks; what blocks runs on a thread of its own.
//! Not here: what is said on a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::storage::tasks::{Job, Tasks};

/// A connection.
pub type Connection = tokio::net::TcpStream;

/// How often is looked whether to stop, and for how long is paused where no connection can be taken.
const LOOK: Duration = Duration::from_millis(100);

/// Where others connect. Dropped, it takes no more, and gives those who are served a moment.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    work: Option<Job<()>>,
}

/// How much a server does, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many connections there may be; who comes then is turned away.
    pub connections: usize,
    /// How long those who are served when the server ends have to end too.
    pub grace: Duration,
}

impl Server {
    /// Listens at the first of the addresses that can be had; port 0 is any that is free. What `serve` makes of a connection runs
    /// until it is done; it is told when to end.
    pub fn start<S: Future<Output = ()> + Send + 'static>(
        addresses: &[SocketAddr],
        bounds: Bounds,
        serve: impl Fn(Connection, Arc<AtomicBool>) -> S + Send + 'static,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(addresses)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let tasks = Arc::new(Tasks::start(1)?);
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let work = tasks.spawn(async move {
            // Only within the tasks it can be handed over to them.
            if let Ok(listener) = TcpListener::from_std(listener) {
                accept(&listener, bounds, serve, &told).await;
            }
        });
        Ok(Self { address, stop, work: Some(work) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(work) = self.work.take() {
            // A connection that panicked has ended; that must not end who stops the server.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work.wait()));
        }
    }
}

async fn accept<S: Future<Output = ()> + Send + 'static>(
    listener: &TcpListener,
    bounds: Bounds,
    serve: impl Fn(Connection, Arc<AtomicBool>) -> S,
    stop: &Arc<AtomicBool>,
) {
    let mut served = JoinSet::new();
    while !stop.load(Ordering::Relaxed) {
        let accepted = within(LOOK, listener.accept()).await;
        while served.try_join_next().is_some() {}
        match accepted {
            Some(Ok((connection, _))) if served.len() < bounds.connections => {
                served.spawn(serve(connection, Arc::clone(stop)));
            }
            // It is closed; who has so many open can close one and come back.
            Some(Ok(_)) | None => {}
            // There may be no file left to open, for a while.
            Some(Err(_)) => tokio::time::sleep(LOOK).await,
        }
    }
    within(bounds.grace, async { while served.join_next().await.is_some() {} }).await;
}

/// What `work` gives within that time; else it is given up.
pub async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(time, work).await.ok()
}

/// Does work that blocks on a thread of its own, which goes on if nobody waits for it any more. `None` if the system has no
/// thread for it, or it panics.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, awaited) = oneshot::channel();
    let thread = thread::Builder::new().name("aside".to_owned()).spawn(move || _ = done.send(work()));
    thread.ok()?;
    awaited.await.ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Instant;

    use tokio::io::AsyncWriteExt;

    use super::*;

    const BOUNDS: Bounds = Bounds { connections: 2, grace: Duration::from_millis(300) };

    fn anywhere() -> [SocketAddr; 1] {
        ["127.0.0.1:0".parse().unwrap()]
    }

    /// Says `hello` and waits until it is told to end.
    async fn polite(mut connection: Connection, stop: Arc<AtomicBool>) {
        let _ = connection.write_all(b"hello").await;
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let _ = connection.write_all(b" and goodbye").await;
    }

    fn said(mut connection: TcpStream) -> String {
        let mut said = String::new();
        connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        connection.read_to_string(&mut said).unwrap();
        said
    }

    fn greeted(server: &Server) -> TcpStream {
        let mut connection = TcpStream::connect(server.address()).unwrap();
        connection.read_exact(&mut [0; 5]).unwrap();
        connection
    }

    #[test]
    fn those_who_are_served_may_end_and_others_are_turned_away() {
        let server = Server::start(&anywhere(), BOUNDS, polite).unwrap();
        assert_ne!(server.address().port(), 0);
        let both = [greeted(&server), greeted(&server)];
        assert_eq!(said(TcpStream::connect(server.address()).unwrap()), "", "two are all that are allowed");
        let address = server.address();
        drop(server);
        assert_eq!(both.map(said), [" and goodbye", " and goodbye"]);
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    }

    #[test]
    fn a_place_is_free_again() {
        let serve = |mut connection: Connection, _| async move { _ = connection.write_all(b"hello").await };
        let server = Server::start(&anywhere(), BOUNDS, serve).unwrap();
        for _ in 0..20 {
            assert_eq!(said(TcpStream::connect(server.address()).unwrap()), "hello");
        }
    }

    #[test]
    fn who_does_not_end_is_left() {
        let server = Server::start(&anywhere(), BOUNDS, |mut connection: Connection, _| async move {
            let _ = connection.write_all(b"hello").await;
            std::future::pending().await
        })
        .unwrap();
        let mut connection = greeted(&server);
        let start = Instant::now();
        drop(server);
        assert!((BOUNDS.grace..Duration::from_secs(30)).contains(&start.elapsed()), "{:?}", start.elapsed());
        let _ = connection.write_all(b"still there?");
        assert_eq!(connection.read(&mut [0; 9]).unwrap_or(0), 0);
    }

    #[test]
    fn work_aside_does_not_stop_the_others() {
        let serve = |mut connection: Connection, _| async move {
            let answer = aside(|| {
                thread::sleep(Duration::from_millis(200));
                "hello"
            });
            let _ = connection.write_all(answer.await.unwrap_or("?").as_bytes()).await;
        };
        let server = Server::start(&anywhere(), BOUNDS, serve).unwrap();
        let start = Instant::now();
        let both = [(); 2].map(|()| TcpStream::connect(server.address()).unwrap());
        assert_eq!(both.map(said), ["hello", "hello"]);
        assert!(start.elapsed() < Duration::from_millis(390), "{:?}", start.elapsed());
        let panics = Arc::new(Tasks::start(1).unwrap());
        assert_eq!(panics.run(&AtomicBool::new(false), aside(|| -> u8 { panic!("as asked") })), Some(None));
    }
}
