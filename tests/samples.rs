//! The samples are what their README says they are.

#![allow(clippy::unwrap_used, reason = "a test that fails should say where")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use headwater::wikibase::entity::{EntityId, Revision};
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;
use oxttl::{NTriplesParser, TurtleParser};

type Error = Box<dyn std::error::Error>;

/// A line of the README's table.
struct Row {
    file: String,
    whole: String,
    entities: String,
    headers: String,
}

/// What a full parser finds in a file.
#[derive(Default)]
struct Found {
    entities: Vec<String>,
    headers: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples")
}

fn rows() -> Vec<Row> {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let row = |line: &str| {
        let mut cells = line.split('|').map(|cell| cell.trim().to_owned());
        let file = cells.nth(1)?.trim_matches('`').to_owned();
        let (whole, entities, headers) = (cells.nth(1)?, cells.next()?, cells.next()?);
        Some(Row { file, whole, entities, headers })
    };
    readme.lines().filter(|line| line.starts_with("| `")).map(|line| row(line).expect(line)).collect()
}

/// The text of a file, decompressed; as much as there is, and whether that is all.
fn text(file: &str) -> (Vec<u8>, bool) {
    let raw = fs::read(folder().join(file)).unwrap();
    let mut text = Vec::new();
    let ended = match file.rsplit('.').next() {
        Some("gz") => flate2::read::MultiGzDecoder::new(&raw[..]).read_to_end(&mut text),
        Some("bz2") => bzip2::read::MultiBzDecoder::new(&raw[..]).read_to_end(&mut text),
        Some("zst") => zstd::Decoder::new(&raw[..]).and_then(|mut decoder| decoder.read_to_end(&mut text)),
        _ => (&raw[..]).read_to_end(&mut text),
    };
    (text, ended.is_ok())
}

/// Reads until the end or the first error; says whether there was none.
fn parse(file: &str, text: &[u8], found: &mut Found) -> bool {
    let ended: Result<(), Error> = if file.contains(".nt") {
        let mut triples = NTriplesParser::new().for_slice(text);
        triples.try_for_each(|triple| triple.map(|triple| found.note(&triple.to_string())).map_err(Error::from))
    } else {
        let mut triples = TurtleParser::new().for_slice(text);
        triples.try_for_each(|triple| triple.map(|triple| found.note(&triple.to_string())).map_err(Error::from))
    };
    ended.is_ok()
}

impl Found {
    /// Takes what there is to take from a triple, written as in N-Triples.
    fn note(&mut self, triple: &str) {
        let mut terms = triple.splitn(3, ' ');
        let (Some(subject), Some(predicate), Some(object)) = (terms.next(), terms.next(), terms.next()) else { return };
        let subject = subject.trim_start_matches('<').trim_end_matches('>');
        let value = object.split('"').nth(1).unwrap_or_default();
        let (wikidata, commons) = (UrisScheme::wikidata(), UrisScheme::commons());
        let local = wikidata.entity_data_local(subject).or_else(|| commons.entity_data_local(subject));
        match predicate {
            "<http://schema.org/version>" => {
                let entity = local.and_then(|local| EntityId::parse(local.as_bytes()).ok());
                if let (Some(entity), Ok(revision)) = (entity, Revision::parse(value.as_bytes())) {
                    self.entities.push(format!("{entity} {revision}"));
                }
            }
            "<http://schema.org/dateModified>" if subject == "http://wikiba.se/ontology#Dump" => {
                self.headers.push(Timestamp::parse(value).unwrap().to_string());
            }
            _ => {}
        }
    }
}

fn listed(found: &[String]) -> String {
    if found.is_empty() { "none".to_owned() } else { found.join(", ") }
}

#[test]
fn the_readme_lists_every_file() {
    let listed: BTreeSet<_> = rows().into_iter().map(|row| row.file).collect();
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = names.filter(|name| name != "README.md").collect();
    assert_eq!(listed, files);
}

#[test]
fn every_sample_holds_what_the_readme_says() {
    for row in rows().iter().filter(|row| !row.whole.is_empty()) {
        let (text, decompressed) = text(&row.file);
        let mut found = Found::default();
        let parsed = parse(&row.file, &text, &mut found);
        assert_eq!(decompressed && parsed, row.whole == "yes", "{}", row.file);
        if !row.entities.is_empty() {
            assert_eq!(listed(&found.entities), row.entities, "{}", row.file);
            assert_eq!(listed(&found.headers), row.headers, "{}", row.file);
        }
    }
}

#[test]
fn the_revision_map_is_that_of_its_dumps() {
    let mut found = Found::default();
    for file in ["items.ttl", "lexemes.ttl"] {
        assert!(parse(file, &text(file).0, &mut found));
    }
    let map = fs::read_to_string(folder().join("revision-map.csv")).unwrap();
    let lines: Vec<_> = map.lines().map(|line| line.replace(',', " ")).collect();
    assert!(lines.is_sorted_by_key(|line| EntityId::parse(line.split(' ').next().unwrap().as_bytes()).unwrap()));
    assert_eq!(lines.iter().collect::<BTreeSet<_>>(), found.entities.iter().collect());
}

#[test]
fn compressed_samples_are_laid_out_as_real_dumps_are() {
    let members = fs::read(folder().join("wikidata.ttl.gz")).unwrap();
    let mut rest = &members[..];
    let mut documents = 0;
    while !rest.is_empty() {
        let mut text = String::new();
        flate2::bufread::GzDecoder::new(&mut rest).read_to_string(&mut text).unwrap();
        assert!(text.starts_with("@prefix rdf:") && text.ends_with(" .\n\n"));
        documents += 1;
    }
    assert_eq!(documents, 4);
    assert_eq!(text("wikidata.ttl.gz").0, text("wikidata.ttl.bz2").0);
    assert_eq!(text("lexemes.ttl").0, text("lexemes.ttl.bz2").0);
    assert_eq!(text("items.ttl").0, text("items.ttl.zst").0);
}
