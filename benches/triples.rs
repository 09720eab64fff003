//! Makes a triples table of any size for measuring statements: `cargo bench --bench triples -- DIR ROWS`.
//!
//! Promise: the same rows for the same arguments; 49 an entity, in the shapes and the proportions of munged Wikidata.
//! Layout: files of 16 row groups of a million rows, each sorted by predicate, then subject; page index; Bloom filters on
//! context and subject; Zstandard. Every row group has the headers of two documents.

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

const GROUP: usize = 1_000_000;
const GROUPS_IN_FILE: usize = 16;
/// Entities whose triples fill a row group.
const ENTITIES: u64 = GROUP as u64 / 49;
/// Properties in use; an entity has [`STATEMENTS`] of them.
const PROPERTIES: u64 = 60;
const STATEMENTS: u64 = 6;

const COLUMNS: [&str; 4] = ["context", "subject", "predicate", "object"];
const DUMP: &str = "<http://wikiba.se/ontology#Dump>";
const REFERENCE: &str = "<http://wikiba.se/ontology#Reference>";
const INTEGER: &str = "http://www.w3.org/2001/XMLSchema#integer";
const DATE_TIME: &str = "http://www.w3.org/2001/XMLSchema#dateTime";

type Row = [String; 4];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [dir, rows] = &arguments[..] else {
        println!("usage: cargo bench --bench triples -- DIR ROWS");
        return Ok(());
    };
    let rows: usize = rows.parse()?;
    let dir = Path::new(dir).join("date=20260105").join("wiki=wikidata");
    fs::create_dir_all(&dir)?;
    let files = rows.div_ceil(GROUP * GROUPS_IN_FILE);
    (0..files).into_par_iter().try_for_each(|file| {
        let first = file * GROUPS_IN_FILE;
        let last = (first + GROUPS_IN_FILE).min(rows.div_ceil(GROUP));
        write(&dir.join(format!("part-{file:05}.parquet")), first as u64..last as u64)
            .map_err(|error| error.to_string())
    })?;
    Ok(())
}

fn write(path: &Path, groups: std::ops::Range<u64>) -> Result<(), Box<dyn Error>> {
    let mut properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(GROUP))
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page);
    for (column, values) in [("context", ENTITIES), ("subject", ENTITIES * 12)] {
        let column = ColumnPath::from(column);
        properties = properties
            .set_column_bloom_filter_enabled(column.clone(), true)
            .set_column_bloom_filter_max_ndv(column, values);
    }
    let properties = properties.build();
    let mut writer: Option<ArrowWriter<File>> = None;
    for group in groups {
        let mut rows = rows(group);
        rows.sort_unstable_by(|a, b| (&a[2], &a[1]).cmp(&(&b[2], &b[1])));
        let array =
            |at: usize| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row[at]))) };
        let batch = RecordBatch::try_from_iter((0..4).map(|at| (COLUMNS[at], array(at))))?;
        if writer.is_none() {
            writer = Some(ArrowWriter::try_new(File::create(path)?, batch.schema(), Some(properties.clone()))?);
        }
        let writer = writer.as_mut().expect("it was just made");
        writer.write(&batch)?;
        writer.flush()?;
    }
    writer.map(ArrowWriter::close).transpose()?;
    Ok(())
}

/// The rows of a row group.
fn rows(group: u64) -> Vec<Row> {
    let mut rows = Vec::with_capacity(GROUP + GROUP / 8);
    for document in 0..2 {
        let date = format!("\"2026-01-05T{:02}:{:02}:{:02}Z\"^^<{DATE_TIME}>", 23 - group % 24, group % 60, document);
        let header = |predicate: &str, object: &str| [DUMP, DUMP, predicate, object].map(str::to_owned);
        rows.push(header("<http://schema.org/dateModified>", &date));
        rows.push(header("<http://schema.org/softwareVersion>", "\"1.0.0\""));
        rows.push(header("<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>", "<http://schema.org/Dataset>"));
    }
    (group * ENTITIES + 1..=(group + 1) * ENTITIES).for_each(|number| entity(number, &mut rows));
    rows
}

fn entity(number: u64, rows: &mut Vec<Row>) {
    let entity = format!("<http://www.wikidata.org/entity/Q{number}>");
    let mut add = |subject: &str, predicate: &str, object: String| {
        rows.push([entity.clone(), subject.to_owned(), format!("<{predicate}>"), object]);
    };
    let random = mix(number);
    add(&entity, "http://schema.org/version", format!("\"{}\"^^<{INTEGER}>", 1_000_000_000 + random % 1_000_000_000));
    add(
        &entity,
        "http://schema.org/dateModified",
        format!("\"2025-{:02}-11T10:00:00Z\"^^<{DATE_TIME}>", random % 12 + 1),
    );
    for count in ["statements", "sitelinks", "identifiers"] {
        add(&entity, &format!("http://wikiba.se/ontology#{count}"), format!("\"{}\"^^<{INTEGER}>", random % 40));
    }
    for language in ["en", "de", "nl", "fr", "es", "ast"] {
        add(&entity, "http://www.w3.org/2000/01/rdf-schema#label", format!("\"Thing {number}\"@{language}"));
        add(&entity, "http://schema.org/description", format!("\"thing of kind {}\"@{language}", random % 1000));
    }
    for statement in 0..STATEMENTS {
        let random = mix(number * STATEMENTS + statement);
        let property = (random + statement) % PROPERTIES;
        let value = format!("<http://www.wikidata.org/entity/Q{}>", random % 10_000_000);
        let id = format!("{random:016X}{:016X}", mix(random));
        let node = format!("<http://www.wikidata.org/entity/statement/Q{number}-{id}>");
        add(&entity, &format!("http://www.wikidata.org/prop/P{property}"), node.clone());
        add(&entity, &format!("http://www.wikidata.org/prop/direct/P{property}"), value.clone());
        add(&node, &format!("http://www.wikidata.org/prop/statement/P{property}"), value);
        add(&node, "http://wikiba.se/ontology#rank", "<http://wikiba.se/ontology#NormalRank>".to_owned());
        let shared = format!("<http://www.wikidata.org/reference/{:040x}>", mix(random % 100_000));
        add(&node, "http://www.w3.org/ns/prov#wasDerivedFrom", shared);
    }
    reference(number, rows);
}

/// The triples of a reference, which has a context of its own.
fn reference(number: u64, rows: &mut Vec<Row>) {
    let node = format!("<http://www.wikidata.org/reference/{:040x}>", mix(mix(number)));
    for (property, object) in [("P248", "<http://www.wikidata.org/entity/Q36578>"), ("P854", "<https://example.org/a>")]
    {
        let predicate = format!("<http://www.wikidata.org/prop/reference/{property}>");
        rows.push([REFERENCE.to_owned(), node.clone(), predicate, object.to_owned()]);
    }
}

/// A number that looks random (the finalizer of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
