//! Places as tables.
//!
//! Promise: what a place is, is told by its content, and what is not whole is no table.
//! Invariant: a directory holds files of one kind; files that begin with `_` or `.` are markers and not read.
//! Not here: how files are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::TableReference;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};

use crate::revision_map::{self, Negative, ReadOptions, RevisionMapError};
use crate::savepoint::{self, Format};
use crate::sql::engine::{Engine, told};
use crate::sql::{SqlError, map};
use crate::state::StateTable;
use crate::storage::{self, Blob, Location, StorageError};
use crate::triples::files::{MANIFEST, StoredFile};

const EXTENSION: &str = ".parquet";
const MAGIC: &[u8] = b"PAR1";
/// The largest, in bytes: it has a line for each file.
const MANIFEST_BYTES: u64 = 64 << 20;

/// Parquet files that are one table.
struct Files {
    /// The files, or the one directory that they are all below.
    places: Vec<Location>,
    /// The columns that the names of directories give, outermost first; if any, there is one place, a directory.
    partitions: Vec<String>,
    is_dir: bool,
}

pub fn add(engine: &Engine, name: &str, text: &str) -> Result<(), SqlError> {
    check_name(engine, name)?;
    let place = Location::parse(text)?;
    if savepoint::has_metadata(&place)? {
        let files = match Format::of(&place)? {
            Format::Native => savepoint::native::state_files(&place)?,
            Format::Flink => None,
        };
        return match files {
            Some(places) => add_files(engine, name, &Files { places, partitions: Vec::new(), is_dir: false }),
            None => add_state(engine, name, savepoint::read(&place)?.whole(&place)?.state),
        };
    }
    let (files, is_dir) = found(text, &place)?;
    let of_parquet = |file: &&Location| is_parquet(file).unwrap_or(false);
    if !is_parquet(&files[0])? {
        return match files.iter().find(of_parquet) {
            Some(file) => Err(not_a_table(&place, format!("{file} is a Parquet file, and {} is not", files[0]))),
            None => match files.iter().find(|file| file.file_name().ends_with(EXTENSION)) {
                Some(file) => Err(not_a_table(&place, format!("{file} is no Parquet file, whatever its name"))),
                None => add_map(engine, name, &files),
            },
        };
    }
    // Names first: what belongs to no table is told as that, and not by what is in it.
    let partitions = if is_dir { partitions(&place, &files)? } else { Vec::new() };
    if is_dir {
        refuse_incomplete(&place, &files)?;
    }
    refuse_broken(&place, &files)?;
    let places = if is_dir { vec![place] } else { files };
    add_files(engine, name, &Files { places, partitions, is_dir })
}

fn check_name(engine: &Engine, name: &str) -> Result<(), SqlError> {
    let wrong = |rule| Err(SqlError::TableName { name: name.to_owned(), rule });
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.bytes().all(allowed) || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return wrong("it is a-z, 0-9 and _, with a letter first");
    }
    match engine.session.table_exist(TableReference::bare(name)) {
        Ok(false) => Ok(()),
        _ => wrong("another table has it"),
    }
}

/// The files that are meant, at least one, and whether they are all those of a directory.
fn found(text: &str, place: &Location) -> Result<(Vec<Location>, bool), SqlError> {
    let all: Vec<_> = match storage::exists(place)? {
        true => Vec::new(),
        false => {
            // Other tools leave empty markers such as `_SUCCESS`.
            let counts = |file: &storage::Entry| file.size > 0 || file.location.file_name().ends_with(EXTENSION);
            storage::list(place)?.into_iter().filter(counts).map(|file| file.location).collect()
        }
    };
    if all.is_empty() {
        return Ok((storage::expand(text)?, false));
    }
    let (hidden, files): (Vec<_>, Vec<_>) = all.into_iter().partition(|file| is_hidden(place, file));
    if let Some(file) = hidden.iter().find(|file| file.file_name().ends_with(EXTENSION)) {
        return Err(not_a_table(place, format!("{file} is there, so it seems to be in the making")));
    }
    if files.is_empty() { Err(StorageError::NotFound { location: place.clone() }.into()) } else { Ok((files, true)) }
}

fn is_hidden(dir: &Location, file: &Location) -> bool {
    let name = file.relative_to(dir).unwrap_or_default();
    name.split('/').any(|part| part.starts_with(['_', '.']))
}

/// Refuses files that are no whole Parquet files, by their ends: a reader would not say which file it is.
fn refuse_broken(place: &Location, files: &[Location]) -> Result<(), SqlError> {
    // The length of the footer in 4 bytes, then the sign.
    const TAIL: u64 = 8;
    for file in files {
        let blob = Blob::open(file)?;
        let size = blob.size();
        let tail = blob.read(size.saturating_sub(TAIL)..size)?;
        let footer = tail.first_chunk().map(|length: &[u8; 4]| u64::from(u32::from_le_bytes(*length)));
        let fits = footer.is_some_and(|footer| footer + TAIL + MAGIC.len() as u64 <= size);
        if !fits || !tail.ends_with(MAGIC) {
            return Err(not_a_table(place, format!("{file} is no whole Parquet file: its end is missing or damaged")));
        }
    }
    Ok(())
}

/// Refuses the directory of an import if it lacks files of that, or has others.
fn refuse_incomplete(place: &Location, files: &[Location]) -> Result<(), SqlError> {
    let Some(dir) = files.first().and_then(Location::parent) else { return Ok(()) };
    let manifest = dir.join(MANIFEST);
    let found: Option<BTreeMap<_, _>> = files.iter().map(|file| Some((file.relative_to(&dir)?, file))).collect();
    let (Some(mut found), true) = (found, storage::exists(&manifest)?) else { return Ok(()) };
    let json = storage::read_at_most(&manifest, MANIFEST_BYTES)?;
    let wrong = |rule: String| not_a_table(place, rule);
    let listed: Listed =
        serde_json::from_slice(&json).map_err(|error| wrong(format!("{manifest} is no manifest: {error}")))?;
    for StoredFile { name, size, .. } in &listed.files {
        let Some(file) = found.remove(name.as_str()) else {
            return Err(wrong(format!("{} is missing, which {manifest} names", dir.join(name))));
        };
        let bytes = Blob::open(file)?.size();
        if bytes != *size {
            return Err(wrong(format!("{file} has {bytes} bytes, and {manifest} says {size}")));
        }
    }
    match found.into_values().next() {
        Some(file) => Err(wrong(format!("{file} is none of the files that {manifest} names"))),
        None => Ok(()),
    }
}

/// What of an import's manifest counts here.
#[derive(serde::Deserialize)]
struct Listed {
    files: Vec<StoredFile>,
}

fn is_parquet(file: &Location) -> Result<bool, StorageError> {
    let blob = Blob::open(file)?;
    Ok(*blob.read(0..blob.size().min(MAGIC.len() as u64))? == *MAGIC)
}

/// The columns in the names of the directories, which must be the same for all files.
fn partitions(dir: &Location, files: &[Location]) -> Result<Vec<String>, SqlError> {
    let columns = |file: &Location| {
        let path = file.relative_to(dir).unwrap_or_default();
        let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
        let names = folders.split('/').filter_map(|folder| Some(folder.split_once('=')?.0.to_owned()));
        names.collect::<Vec<_>>()
    };
    let first = columns(&files[0]);
    for file in files {
        if !file.file_name().ends_with(EXTENSION) {
            return Err(not_a_table(dir, format!("the name of {file} does not end in {EXTENSION}")));
        }
        if columns(file) != first {
            return Err(not_a_table(dir, format!("{file} is in other directories than {}", files[0])));
        }
    }
    Ok(first)
}

fn not_a_table(location: &Location, rule: String) -> SqlError {
    SqlError::NotATable { location: location.clone(), rule }
}

fn add_files(engine: &Engine, name: &str, files: &Files) -> Result<(), SqlError> {
    let mut urls = Vec::new();
    for place in &files.places {
        let served = place.served(files.is_dir);
        let url = ListingTableUrl::try_new(served.url, None).map_err(told)?;
        engine.session.register_object_store(url.object_store().as_ref(), served.store);
        urls.push(url);
    }
    let state = engine.session.state();
    let format = ParquetFormat::default().with_options(state.default_table_options().parquet);
    let partitions = files.partitions.iter().map(|column| (column.clone(), DataType::Utf8View)).collect();
    let options = ListingOptions::new(Arc::new(format))
        .with_file_extension(if files.is_dir { EXTENSION } else { "" })
        .with_table_partition_cols(partitions);
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options);
    let config = engine.wait(config.infer_schema(&state))?.map_err(told)?;
    let cache = engine.session.runtime_env().cache_manager.get_file_statistic_cache();
    let table = ListingTable::try_new(config).map_err(told)?.with_cache(cache);
    engine.session.register_table(TableReference::bare(name), Arc::new(table)).map_err(told)?;
    Ok(())
}

fn add_map(engine: &Engine, name: &str, files: &[Location]) -> Result<(), SqlError> {
    // A negative revision stays one in the table, as it stands in the file.
    let options = ReadOptions { negative: Negative::Deleted, ..ReadOptions::default() };
    let (state, _) = revision_map::read(files, &options, &engine.env).map_err(|error| match error {
        RevisionMapError::Cancelled => SqlError::Cancelled,
        error => SqlError::RevisionMap(error),
    })?;
    add_state(engine, name, state)
}

fn add_state(engine: &Engine, name: &str, state: StateTable) -> Result<(), SqlError> {
    let table = map::table(Arc::new(state), engine.session.copied_config().target_partitions()).map_err(told)?;
    engine.session.register_table(TableReference::bare(name), table).map_err(told)?;
    Ok(())
}
