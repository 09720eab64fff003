//! What an import says of itself, for whoever loads it.
//!
//! Promise: `_manifest.json` is written last; a directory that has it is complete, and its files have these checksums.
//! Invariant: fields may be added, never renamed. Times are RFC 3339 in UTC.

use serde::Serialize;

use crate::bootstrap::report::HeaderReport;
use crate::import::Config;
use crate::import::flow::Imported;
use crate::rdf::ntriples::Encoding;
use crate::savepoint::native::manifest::{CREATED_BY, Input};
use crate::triples::Format;
use crate::triples::files::{self, StoredFile};
use crate::wikibase::timestamp::Timestamp;

/// Its name.
pub const NAME: &str = files::MANIFEST;

/// What an import says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// 1.
    pub version: u32,
    /// When it was finished.
    pub created_at: String,
    /// By which program and version.
    pub created_by: String,
    /// `parquet`, `nt` or `ttl`.
    pub format: &'static str,
    /// The namespace of the wiki's entities.
    pub concept: String,
    /// From what.
    pub inputs: Vec<Input>,
    /// The headers of the dumps. A store that holds these triples must follow the stream from the oldest date on.
    pub headers: HeaderReport,
    /// The oldest date of all headers.
    pub start_time: Option<String>,
    /// What was left out, and how.
    pub options: Munging,
    /// Entities.
    pub entities: u64,
    /// Triples in all files.
    pub triples: u64,
    /// The files, in order.
    pub files: Vec<StoredFile>,
}

/// The options of the munge.
#[derive(Clone, Debug, Serialize)]
pub struct Munging {
    /// Whether blank nodes are IRIs, as in the stream.
    pub skolemized: bool,
    /// Labels in these languages only.
    pub label_languages: Option<Vec<String>>,
    /// One label, in the first of these languages.
    pub single_label: Option<Vec<String>>,
    /// Whether sitelinks are left out.
    pub skip_sitelinks: bool,
    /// Whether types that nearly every node has are kept.
    pub keep_types: bool,
    /// Whether no triple is there twice.
    pub distinct: bool,
    /// `utf-8`, or `sesame` where characters beyond ASCII are escaped by UTF-16 unit.
    pub encoding: &'static str,
}

impl Manifest {
    /// What a run that was finished `now` says.
    pub fn new(config: &Config, imported: &Imported, now: Timestamp) -> Self {
        let headers = imported.gathered.headers();
        let is_sesame = config.format == Format::Parquet && config.encoding == Encoding::Sesame;
        Self {
            version: 1,
            created_at: now.to_string(),
            created_by: CREATED_BY.to_owned(),
            format: config.format.name(),
            concept: config.base.wiki.scheme.concept().to_owned(),
            inputs: imported.gathered.inputs.clone(),
            start_time: headers.oldest().map(|oldest| oldest.to_string()),
            headers: HeaderReport::of(&headers),
            options: Munging {
                skolemized: config.munge.skolemize,
                label_languages: config.munge.label_languages.clone(),
                single_label: config.munge.single_label.clone(),
                skip_sitelinks: config.munge.skip_sitelinks,
                keep_types: config.munge.keep_types,
                distinct: config.distinct,
                encoding: if is_sesame { "sesame" } else { "utf-8" },
            },
            entities: imported.gathered.table.len(),
            triples: imported.files.iter().map(|file| file.triples).sum(),
            files: imported.files.clone(),
        }
    }
}
