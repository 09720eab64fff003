//! What a savepoint says of itself: the file `_metadata`.
//!
//! Promise: `from_json(to_json(x)) = x`; a manifest that was read is consistent, and no byte of it was changed.
//! In -> out: [`Manifest`] <-> JSON, by format version.
//! Invariant: the stored form (`Wire…`) is apart from the types the program uses.
//! Not here: where it is stored, and whether the files are as it says.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::savepoint::native::paths::PartName;
use crate::state::KindCount;
use crate::wikibase::entity::{EntityId, EntityKind};
use crate::wikibase::timestamp::Timestamp;

/// The largest manifest, in bytes. A savepoint of everything there is has one of about 50 KB.
pub const MAX_BYTES: u64 = 64 << 20;

const FORMAT: &str = "headwater-savepoint";
const VERSION: u64 = 1;
/// Stands in the place of the checksum while it is computed.
const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// This program, as a manifest names what made it.
pub const CREATED_BY: &str = concat!("headwater ", env!("CARGO_PKG_VERSION"));

/// How a state came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// When the savepoint is made.
    pub created_at: Timestamp,
    /// By which program and version, such as `headwater 0.1.0`.
    pub created_by: String,
    /// From what.
    pub inputs: Vec<Input>,
    /// The namespace of the wiki's entities.
    pub concept: String,
    /// The namespace of the wiki's entity-data documents.
    pub entity_data: String,
    /// The start times in the headers of the dump, if it was made from one.
    pub dump_starts: Option<DumpStarts>,
    /// The positions to stream from, if they are part of it.
    pub offsets: Option<Vec<StartOffset>>,
    /// All events up to this moment are in the state, if that is known.
    pub watermark: Option<Timestamp>,
}

/// Something that a savepoint was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Where it was, as its user named it.
    pub location: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The start times that a dump's headers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpStarts {
    /// The oldest: where the stream has to begin.
    pub oldest: Timestamp,
    /// The newest.
    pub newest: Timestamp,
    /// How many headers there were.
    pub headers: u64,
}

/// Where in a partition to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartOffset {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: u32,
    /// The offset of the first record to read.
    pub offset: u64,
}

/// What a savepoint says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// How it came to be.
    pub made: Provenance,
    /// Entities of each kind, in the order of [`EntityKind::ALL`].
    pub counts: [KindCount; 4],
    /// Its files, in the order of their rows.
    pub files: Vec<StoredFile>,
}

/// A state file as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    pub(in crate::savepoint::native) name: PartName,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Entities in it.
    pub rows: u64,
}

impl StoredFile {
    /// Its path relative to the savepoint's directory.
    pub fn path(&self) -> String {
        self.name.to_string()
    }
}

/// Why a manifest is not valid.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is larger than [`MAX_BYTES`].
    #[error("it has {0} bytes; that cannot be the manifest of a savepoint")]
    TooLarge(u64),
    /// It is no JSON, or has other fields.
    #[error("it is no complete manifest")]
    Json(#[from] serde_json::Error),
    /// It is the JSON of something else.
    #[error("it is not the manifest of a headwater savepoint")]
    Format,
    /// It was written in another version of the format.
    #[error("it is of format version {0}; this program knows version 1, so take one that is as new as the savepoint")]
    Version(u64),
    /// It was changed after it was written.
    #[error("it was changed after it was written: its checksum is wrong")]
    Checksum,
    /// It contradicts itself.
    #[error("{0}")]
    Inconsistent(String),
}

impl Manifest {
    /// How many entities of `kind` the savepoint holds.
    pub fn count(&self, kind: EntityKind) -> KindCount {
        self.counts[kind as usize]
    }

    /// The stored form.
    pub fn to_json(&self) -> Result<Vec<u8>, ManifestError> {
        let mut json = serde_json::to_vec_pretty(&Wire::from(self))?;
        json.push(b'\n');
        let checksum = hex(&Sha256::digest(&json));
        let place = place_of(&json, NO_CHECKSUM).ok_or(ManifestError::Checksum)?;
        json[place].copy_from_slice(checksum.as_bytes());
        Ok(json)
    }

    /// Reads the stored form; refuses whatever [`Manifest::to_json`] would not have written.
    pub fn from_json(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() as u64 > MAX_BYTES {
            return Err(ManifestError::TooLarge(json.len() as u64));
        }
        // The version first: the rest can only be understood by it.
        let head: WireHead = serde_json::from_slice(json)?;
        if head.format != FORMAT {
            return Err(ManifestError::Format);
        }
        if head.format_version != VERSION {
            return Err(ManifestError::Version(head.format_version));
        }
        let wire: Wire = serde_json::from_slice(json)?;
        check(json, &wire.checksum)?;
        let manifest = wire.into_manifest()?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let wrong = |text: String| Err(ManifestError::Inconsistent(text));
        let mut rows = [0_u64; 4];
        for (at, file) in self.files.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| self.files[before].name);
            let part = before.filter(|before| before.kind == file.name.kind).map_or(0, |before| before.part + 1);
            if before.is_some_and(|before| before >= file.name) || file.name.part != part {
                return wrong(format!("the file {} is listed out of order", file.name));
            }
            let sum = &mut rows[file.name.kind as usize];
            *sum = sum.saturating_add(file.rows);
        }
        for kind in EntityKind::ALL {
            let count = self.counts[kind as usize];
            let total = count.created.checked_add(count.deleted);
            if total.is_none_or(|total| total > u64::from(EntityId::MAX_NUMBER) || total != rows[kind as usize]) {
                return wrong(format!("the {} are not as many as their files have rows", kind.plural()));
            }
        }
        Ok(())
    }
}

fn check(json: &[u8], checksum: &str) -> Result<(), ManifestError> {
    // Exactly the stored digits are left out: a look-alike elsewhere would only make the sum wrong.
    let place = place_of(json, checksum).filter(|_| checksum.len() == NO_CHECKSUM.len());
    let place = place.ok_or(ManifestError::Checksum)?;
    let mut blank = json.to_vec();
    blank[place].copy_from_slice(NO_CHECKSUM.as_bytes());
    if hex(&Sha256::digest(&blank)) == checksum { Ok(()) } else { Err(ManifestError::Checksum) }
}

/// Where in `json` the checksum stands: the last field of all.
fn place_of(json: &[u8], checksum: &str) -> Option<std::ops::Range<usize>> {
    let start = memchr::memmem::rfind(json, checksum.as_bytes())?;
    Some(start..start + checksum.len())
}

#[derive(Deserialize)]
struct WireHead {
    format: String,
    format_version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: String,
    format_version: u64,
    created_at: String,
    created_by: String,
    source: Vec<Input>,
    uris_scheme: WireUris,
    counts: WireCounts,
    dump_starts: Option<WireDumpStarts>,
    offsets: Option<Vec<StartOffset>>,
    watermark: Option<String>,
    files: Vec<WireFile>,
    checksum: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireUris {
    concept: String,
    entity_data: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(non_snake_case, reason = "the kinds' own letters")]
struct WireCounts {
    Q: WireCount,
    P: WireCount,
    L: WireCount,
    M: WireCount,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCount {
    created: u64,
    deleted: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDumpStarts {
    oldest: String,
    newest: String,
    headers: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFile {
    path: String,
    size: u64,
    sha256: String,
    rows: u64,
}

impl From<&Manifest> for Wire {
    fn from(manifest: &Manifest) -> Self {
        let made = manifest.made.clone();
        let [q, p, l, m] = manifest.counts.map(|KindCount { created, deleted }| WireCount { created, deleted });
        let file = |file: &StoredFile| WireFile {
            path: file.path(),
            size: file.size,
            sha256: hex(&file.sha256),
            rows: file.rows,
        };
        Self {
            format: FORMAT.to_owned(),
            format_version: VERSION,
            created_at: made.created_at.to_string(),
            created_by: made.created_by,
            source: made.inputs,
            uris_scheme: WireUris { concept: made.concept, entity_data: made.entity_data },
            counts: WireCounts { Q: q, P: p, L: l, M: m },
            dump_starts: made.dump_starts.map(|starts| WireDumpStarts {
                oldest: starts.oldest.to_string(),
                newest: starts.newest.to_string(),
                headers: starts.headers,
            }),
            offsets: made.offsets,
            watermark: made.watermark.map(|watermark| watermark.to_string()),
            files: manifest.files.iter().map(file).collect(),
            checksum: NO_CHECKSUM.to_owned(),
        }
    }
}

impl Wire {
    fn into_manifest(self) -> Result<Manifest, ManifestError> {
        let dump_starts = self.dump_starts.map(|starts| {
            let (oldest, newest) = (time(&starts.oldest)?, time(&starts.newest)?);
            Ok::<_, ManifestError>(DumpStarts { oldest, newest, headers: starts.headers })
        });
        let made = Provenance {
            created_at: time(&self.created_at)?,
            created_by: self.created_by,
            inputs: self.source,
            concept: self.uris_scheme.concept,
            entity_data: self.uris_scheme.entity_data,
            dump_starts: dump_starts.transpose()?,
            offsets: self.offsets,
            watermark: self.watermark.as_deref().map(time).transpose()?,
        };
        let WireCounts { Q: q, P: p, L: l, M: m } = self.counts;
        let counts = [q, p, l, m].map(|WireCount { created, deleted }| KindCount { created, deleted });
        let files = self.files.into_iter().map(WireFile::into_file).collect::<Result<_, _>>()?;
        Ok(Manifest { made, counts, files })
    }
}

impl WireFile {
    fn into_file(self) -> Result<StoredFile, ManifestError> {
        let wrong = |what: &str| ManifestError::Inconsistent(format!("`{}` {what}", self.path.escape_debug()));
        let name = PartName::parse(&self.path).ok_or_else(|| wrong("is not the name of a state file"))?;
        let sha256 = unhex(&self.sha256).ok_or_else(|| wrong("is listed without its SHA-256"))?;
        Ok(StoredFile { name, size: self.size, sha256, rows: self.rows })
    }
}

fn time(text: &str) -> Result<Timestamp, ManifestError> {
    Timestamp::parse(text).map_err(|error| ManifestError::Inconsistent(error.to_string()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}
