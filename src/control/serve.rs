//! Connections: HTTP/1.1 to requests, answers to HTTP/1.1.
//!
//! Promise: a connection on which nothing comes to pass for a while is closed, unless the updater is the one that is waited for.
//! Invariant: a body, and the head of a request, take no more memory than allowed.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::control::Desk;
use crate::control::guard::{Foreign, Guard};
use crate::control::routes::{self, Answer, Route};
use crate::storage::server::{Bounds, Connection, Server, aside, within};

/// How many clients there may be, and how long those that are being answered have when the server ends.
const BOUNDS: Bounds = Bounds { connections: 64, grace: Duration::from_secs(2) };
/// How long a body may be, in bytes: it names a place.
const LONGEST: u64 = 64 << 10;
/// How much of one that is longer is read.
const MOST_READ: u64 = 1 << 20;
/// How long the head of a request may be, in bytes; the least that hyper can do with.
const LONGEST_HEAD: usize = 8 << 10;
/// How long a client may take for a body; tests wait for less.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 5 });
/// How long a connection may be without progress.
const SILENCE: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 10 });
/// How often is looked for progress.
const LOOK: Duration = Duration::from_millis(100);

/// Begins to answer.
pub fn start(addresses: &[SocketAddr], guard: &Arc<Guard>, desk: &Arc<dyn Desk>) -> io::Result<Server> {
    let (guard, desk) = (Arc::clone(guard), Arc::clone(desk));
    Server::start(addresses, BOUNDS, move |connection, stop| {
        converse(connection, stop, Arc::clone(&guard), Arc::clone(&desk))
    })
}

/// Answers a connection's requests, one after the other.
async fn converse(connection: Connection, stop: Arc<AtomicBool>, guard: Arc<Guard>, desk: Arc<dyn Desk>) {
    let progress = Arc::new(Progress::default());
    let seen = Arc::clone(&progress);
    let service = service_fn(move |request| {
        let (guard, desk, progress) = (Arc::clone(&guard), Arc::clone(&desk), Arc::clone(&seen));
        async move { Ok::<_, Infallible>(response(answer(request, &guard, desk, &progress).await)) }
    });
    let conversation =
        http1::Builder::new().max_buf_size(LONGEST_HEAD).serve_connection(TokioIo::new(connection), service);
    let mut conversation = pin!(conversation);
    let (mut silent, mut last, mut is_ending) = (Duration::ZERO, 0, false);
    // What ends it is the client, by leaving or by what is no HTTP: there is nobody to tell.
    while within(LOOK, conversation.as_mut()).await.is_none() && silent < SILENCE {
        if stop.load(Ordering::Relaxed) && !is_ending {
            conversation.as_mut().graceful_shutdown();
            is_ending = true;
        }
        let steps = progress.steps();
        silent = if steps == last && !Progress::is_waiting(steps) { silent + LOOK } else { Duration::ZERO };
        last = steps;
    }
}

/// How far a connection is: a step for each request that is handed over, and one when it comes back.
#[derive(Debug, Default)]
struct Progress(AtomicU64);

impl Progress {
    fn steps(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether a request was handed over and did not come back yet.
    const fn is_waiting(steps: u64) -> bool {
        steps % 2 == 1
    }

    fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

async fn answer(request: Request<Incoming>, guard: &Guard, desk: Arc<dyn Desk>, progress: &Progress) -> Answer {
    let order = match routes::route(request.method().as_str(), request.uri().path()) {
        Err(answer) => return answer,
        Ok(route) => match (allowed(&request, route, guard), route) {
            (Err(foreign), _) => return refused(foreign),
            (Ok(()), Route::Look(look)) => {
                progress.step();
                let answer = routes::look(look, &*desk);
                progress.step();
                return answer;
            }
            (Ok(()), Route::Act(act)) => body(request).await.and_then(|body| routes::order(act, &body)),
        },
    };
    match order {
        Err(answer) => answer,
        Ok(order) => {
            progress.step();
            let answer = aside(move || routes::act(order, &*desk)).await;
            progress.step();
            answer.unwrap_or_else(|| Answer::error(500, "there is no thread for it, or it broke".to_owned()))
        }
    }
}

/// Whether the guard lets the request pass.
fn allowed(request: &Request<Incoming>, route: Route, guard: &Guard) -> Result<(), Foreign> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut hosts = request.headers().get_all(HOST).iter();
    // A request may name its host in place of a path, which then counts.
    let host = request.uri().authority().map(ToString::to_string).or_else(|| hosts.next().map(text));
    let host = host.filter(|_| request.headers().get_all(HOST).iter().count() <= 1);
    match route {
        Route::Look(_) => guard.may_look(host.as_deref()),
        Route::Act(_) => guard.may_act(host.as_deref(), request.headers().get(ORIGIN).map(text).as_deref()),
    }
}

fn refused(foreign: Foreign) -> Answer {
    let status = if foreign == Foreign::NoHost { 400 } else { 403 };
    Answer::error(status, foreign.to_string())
}

/// The body. One that is too long is read on for a while, as who is still sending does not see an answer.
async fn body(request: Request<Incoming>) -> Result<Vec<u8>, Answer> {
    let mut body = request.into_body();
    if body.size_hint().lower() > MOST_READ {
        return Err(too_long());
    }
    let (mut kept, mut length) = (Vec::new(), 0);
    let read = async {
        while let Some(frame) = body.frame().await.transpose()? {
            let data = frame.into_data().unwrap_or_default();
            length += data.len() as u64;
            if length <= LONGEST {
                kept.extend_from_slice(&data);
            } else if length > MOST_READ {
                break;
            }
        }
        Ok::<_, hyper::Error>(())
    };
    match within(PATIENCE, read).await {
        _ if length > LONGEST => Err(too_long()),
        None => Err(Answer::error(408, format!("the body did not come within {} s", PATIENCE.as_secs()))),
        Some(Err(error)) => Err(Answer::error(400, format!("the body broke off: {error}"))),
        Some(Ok(())) => Ok(kept),
    }
}

fn too_long() -> Answer {
    Answer::error(413, format!("the body is longer than {LONGEST} bytes"))
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let Answer { status, content_type, allow, body } = answer;
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status.try_into().expect("only numbers of HTTP are used");
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| _ = headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, content_type);
    set(CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("x-content-type-options"), "nosniff");
    if let Some(allow) = allow {
        set(ALLOW, allow);
    }
    // What is left of such a body is not read.
    if matches!(status, 408 | 413) {
        set(CONNECTION, "close");
    }
    response
}
