//! The samples as a triples table, munged as far as statements can tell; to be replaced by the program's own import.
//!
//! Layout: `date=…/wiki=…/part-….parquet` with the columns context, subject, predicate, object: N-Triples terms.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use oxttl::TurtleParser;
use parquet::arrow::ArrowWriter;

const COLUMNS: [&str; 4] = ["context", "subject", "predicate", "object"];
const PARTS: [(&str, &str); 4] = [
    ("items.ttl", "date=20241104/wiki=wikidata/part-00000.parquet"),
    ("properties.ttl", "date=20241104/wiki=wikidata/part-00001.parquet"),
    ("lexemes.ttl", "date=20241104/wiki=wikidata/part-00002.parquet"),
    ("commons.ttl", "date=20241110/wiki=commons/part-00000.parquet"),
];
const DUMP: &str = "<http://wikiba.se/ontology#Dump>";
const ENTITY_DATA: &str = "/wiki/Special:EntityData/";

type Row = [String; 4];

/// Writes the table into the directory `dir`.
pub fn write(dir: &Path) {
    for (sample, part) in PARTS {
        let part = dir.join(part);
        fs::create_dir_all(part.parent().expect("a part is in a directory")).expect("directories can be made");
        let rows = rows(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples").join(sample));
        let array =
            |at: usize| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row[at]))) };
        let batch =
            RecordBatch::try_from_iter((0..4).map(|at| (COLUMNS[at], array(at)))).expect("columns of one length");
        let mut writer = ArrowWriter::try_new(File::create(part).expect("files can be made"), batch.schema(), None)
            .expect("texts can be written");
        writer.write(&batch).and_then(|()| writer.close()).expect("the file can be written");
    }
}

fn rows(sample: &Path) -> Vec<Row> {
    let text = fs::read(sample).expect("the samples are there");
    let mut rows = Vec::new();
    // What has no URI of its own belongs to the entity before it.
    let mut entity = String::new();
    for triple in TurtleParser::new().for_slice(&text) {
        let triple = triple.expect("the samples are Turtle");
        let (subject, predicate) = (triple.subject.to_string(), triple.predicate.to_string());
        let subject = if subject.contains(ENTITY_DATA) {
            entity = of_data(&subject);
            let kept = ["schema.org/version", "schema.org/dateModified", "wikiba.se/ontology"];
            if !kept.iter().any(|name| predicate.contains(name)) {
                continue;
            }
            entity.clone()
        } else {
            subject
        };
        if let Some(found) = of_entity(&subject) {
            entity = found;
        }
        rows.push([context(&subject, &entity), subject, predicate, triple.object.to_string()]);
    }
    rows
}

fn context(subject: &str, entity: &str) -> String {
    match subject {
        DUMP => DUMP.to_owned(),
        _ if subject.contains("/reference/") => "<http://wikiba.se/ontology#Reference>".to_owned(),
        _ if subject.contains("/value/") => "<http://wikiba.se/ontology#Value>".to_owned(),
        _ => entity.to_owned(),
    }
}

/// The entity that a data node is about.
fn of_data(subject: &str) -> String {
    let scheme = if subject.contains("commons") { "https" } else { "http" };
    let (host, id) = subject.trim_matches(['<', '>']).split_once(ENTITY_DATA).expect("it is a data node");
    let host = host.split_once("://").expect("a URI has a scheme").1;
    format!("<{scheme}://{host}/entity/{id}>")
}

/// The entity that an entity's, a form's, a sense's or a statement's URI names.
fn of_entity(subject: &str) -> Option<String> {
    let (before, local) = subject.split_once("/entity/")?;
    let id = local.trim_start_matches("statement/").split(['-', '$', '>']).next()?;
    Some(format!("{before}/entity/{id}>"))
}
