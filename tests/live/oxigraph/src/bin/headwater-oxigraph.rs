//! Oxigraph behind HTTP, as its own server is, for tests: a store in memory.
//!
//! `headwater-oxigraph serve --bind HOST:PORT` answers `POST /query` (a CONSTRUCT, in Turtle), `POST /update`, and `POST` of
//! `/store?default` (Turtle), as Oxigraph's server does. That server itself cannot be built without RocksDB, which takes half an
//! hour of one core; with `--location` it takes the place of this one.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use oxhttp::Server;
use oxhttp::model::header::CONTENT_TYPE;
use oxhttp::model::{Body, Method, Request, Response, StatusCode};
use oxigraph::io::{RdfFormat, RdfSerializer};
use oxigraph::sparql::{QueryResults, SparqlEvaluator};
use oxigraph::store::Store;

type Answer = Result<(StatusCode, Option<RdfFormat>, Vec<u8>), Box<dyn Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let ["serve", "--bind", address, ..] = &*arguments.iter().map(String::as_str).collect::<Vec<_>>() else {
        return Err("serve --bind HOST:PORT is expected".into());
    };
    let (address, store): (SocketAddr, _) = (address.parse()?, Store::new()?);
    let server = Server::new(move |request| {
        let (status, format, body) = answer(&store, request)
            .unwrap_or_else(|error| (StatusCode::BAD_REQUEST, None, format!("{error}\n").into_bytes()));
        let kind = format.map_or("text/plain", RdfFormat::media_type);
        Response::builder().status(status).header(CONTENT_TYPE, kind).body(Body::from(body)).expect("a status and a type")
    });
    server.bind(address).spawn()?.join()?;
    Ok(())
}

fn answer(store: &Store, request: &mut Request<Body>) -> Answer {
    let text = std::mem::take(request.body_mut()).to_string()?;
    let is_default = request.uri().query() == Some("default");
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/query") => {
            let results = SparqlEvaluator::new().parse_query(&text)?.on_store(store).execute()?;
            let QueryResults::Graph(triples) = results else { return Err("a CONSTRUCT is expected".into()) };
            let mut turtle = RdfSerializer::from_format(RdfFormat::Turtle).for_writer(Vec::new());
            for triple in triples {
                turtle.serialize_triple(&triple?)?;
            }
            Ok((StatusCode::OK, Some(RdfFormat::Turtle), turtle.finish()?))
        }
        (&Method::POST, "/update") => {
            SparqlEvaluator::new().parse_update(&text)?.on_store(store).execute()?;
            Ok((StatusCode::NO_CONTENT, None, Vec::new()))
        }
        (&Method::POST, "/store") if is_default => {
            store.load_from_reader(RdfFormat::Turtle, text.as_bytes())?;
            Ok((StatusCode::NO_CONTENT, None, Vec::new()))
        }
        _ => Ok((StatusCode::NOT_FOUND, None, Vec::new())),
    }
}
