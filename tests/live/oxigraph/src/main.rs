//! Loads stdin into an Oxigraph store in memory and prints what the store holds, as one line of JSON.
//!
//! `headwater-loader-check nt|ttl|rows`; rows are what `headwater sql --format json` prints of a triples table that was
//! written with `--encoding utf8`. The parser is not lenient: what is no N-Triples or Turtle ends the program with 1.

use std::collections::hash_map::DefaultHasher;
use std::error::Error;
use std::hash::{Hash, Hasher};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::ExitCode;

use oxigraph::io::RdfFormat;
use oxigraph::model::{NamedOrBlankNode, Term};
use oxigraph::sparql::{QueryResults, SparqlEvaluator};
use oxigraph::store::Store;
use serde_json::{Value, json};

const VERSIONS: &str = "SELECT (COUNT(*) AS ?n) { ?s <http://schema.org/version> ?o }";
const SUBJECTS: &str = "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o }";
const BLANK_NODES: &str =
    "SELECT (COUNT(DISTINCT ?b) AS ?n) { { ?b ?p ?o } UNION { ?s ?q ?b } FILTER(isBlank(?b)) }";

fn main() -> ExitCode {
    match run() {
        Ok(counts) => {
            println!("{counts}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

fn run() -> Result<Value, Box<dyn Error>> {
    let store = Store::new()?;
    let mut loader = store.bulk_loader();
    match std::env::args().nth(1).as_deref() {
        Some("nt") => loader.load_from_reader(RdfFormat::NTriples, io::stdin().lock())?,
        Some("ttl") => loader.load_from_reader(RdfFormat::Turtle, io::stdin().lock())?,
        Some("rows") => loader.load_from_reader(RdfFormat::NTriples, Rows::new(io::stdin().lock()))?,
        _ => return Err("nt, ttl or rows is expected".into()),
    }
    loader.commit()?;
    Ok(json!({
        "triples": store.len()?,
        "subjects": count(&store, SUBJECTS)?,
        "versions": count(&store, VERSIONS)?,
        "blank_nodes": count(&store, BLANK_NODES)?,
        "sum": sum(&store)?,
    }))
}

fn count(store: &Store, query: &str) -> Result<u64, Box<dyn Error>> {
    let QueryResults::Solutions(mut rows) = SparqlEvaluator::new().parse_query(query)?.on_store(store).execute()? else {
        return Err("rows are expected".into());
    };
    let row = rows.next().ok_or("a row is expected")??;
    match row.get("n") {
        Some(Term::Literal(number)) => Ok(number.value().parse()?),
        other => Err(format!("a number is expected, not {other:?}").into()),
    }
}

/// A number that two stores have in common if they hold the same triples, whatever the order they came in. Blank nodes count
/// without their labels, as the store gives them new ones.
fn sum(store: &Store) -> Result<String, Box<dyn Error>> {
    let mut sum = 0_u64;
    for quad in store.iter() {
        let quad = quad?;
        let subject = match quad.subject {
            NamedOrBlankNode::BlankNode(_) => "_:".to_owned(),
            NamedOrBlankNode::NamedNode(iri) => iri.to_string(),
        };
        let object = match quad.object {
            Term::BlankNode(_) => "_:".to_owned(),
            object => object.to_string(),
        };
        let mut hasher = DefaultHasher::new();
        (subject, quad.predicate.as_str(), object).hash(&mut hasher);
        sum = sum.wrapping_add(hasher.finish());
    }
    Ok(format!("{sum:016x}"))
}

/// Rows of a table as JSON -> N-Triples.
struct Rows<R> {
    lines: R,
    json: String,
    triple: Vec<u8>,
    at: usize,
}

impl<R: BufRead> Rows<R> {
    fn new(lines: R) -> BufReader<Self> {
        BufReader::new(Self { lines, json: String::new(), triple: Vec::new(), at: 0 })
    }
}

impl<R: BufRead> Read for Rows<R> {
    fn read(&mut self, mut target: &mut [u8]) -> io::Result<usize> {
        if self.at == self.triple.len() {
            (self.at, self.triple) = (0, Vec::new());
            self.json.clear();
            if self.lines.read_line(&mut self.json)? == 0 {
                return Ok(0);
            }
            let row: Value = serde_json::from_str(&self.json)?;
            let cell = |name: &str| row[name].as_str().unwrap_or_default();
            writeln!(self.triple, "{} {} {} .", cell("subject"), cell("predicate"), cell("object"))?;
        }
        let written = target.write(&self.triple[self.at..])?;
        self.at += written;
        Ok(written)
    }
}
