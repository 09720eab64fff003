//! What a savepoint or a checkpoint says of itself: the file `_metadata`.
//!
//! Promise: `from_json(to_json(x)) = x`; a manifest that was read is consistent, and no byte of it was changed.
//! In -> out: [`Manifest`] <-> JSON, by format version: 1 for a savepoint that is nothing but state, as ever; 2 for a checkpoint,
//! and for a savepoint with a stream's buffers, which a program that knows version 1 only would pass over.
//! Invariant: the stored form (`Wire…`) is apart from the types the program uses.
//! Not here: where it is stored, and whether the files are as it says.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::savepoint::checkpoint::id::CheckpointId;
use crate::savepoint::native::paths::{DeltaName, Name, Owner, PartName, StreamName};
use crate::state::KindCount;
use crate::wikibase::entity::{EntityId, EntityKind};
use crate::wikibase::timestamp::Timestamp;

/// The largest manifest, in bytes. A savepoint of everything there is has one of about 50 KB.
pub const MAX_BYTES: u64 = 64 << 20;

const FORMAT: &str = "headwater-savepoint";
/// Of a savepoint without a stream's buffers.
const VERSION: u64 = 1;
/// Of all else.
const VERSION_OF_STREAMS: u64 = 2;
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

/// Where in a partition, or in a file, to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartOffset {
    /// The topic; the name of a file.
    pub topic: String,
    /// The partition's number; of a file 0.
    pub partition: u32,
    /// The offset of the first record to read; of a file the byte.
    pub offset: u64,
    /// All events of the partition up to this moment were read, if that is known. Without it others that go on would wait for one
    /// that was read to its end as if it had said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment")]
    pub watermark: Option<Timestamp>,
}

/// What a savepoint or checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// How it came to be.
    pub made: Provenance,
    /// Its id, if it is a checkpoint.
    pub checkpoint: Option<CheckpointId>,
    /// The positions to stream from; none of a bootstrap.
    pub offsets: Vec<StartOffset>,
    /// All events up to this moment are in the state, if that is known.
    pub watermark: Option<Timestamp>,
    /// Entities of each kind, in the order of [`EntityKind::ALL`].
    pub counts: [KindCount; 4],
    /// Its state files, in the order of their rows.
    pub files: Vec<StoredFile>,
    /// Of a checkpoint: what changed since those were written, the oldest first. Each counts more than all before it.
    pub deltas: Vec<StoredDelta>,
    /// What a stream had in hand.
    pub stream: Option<StoredStream>,
}

/// A file as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<N> {
    pub(in crate::savepoint) name: N,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Entities in it, or lines.
    pub rows: u64,
}

/// A state file.
pub type StoredFile = Stored<PartName>;

/// A file of changes.
pub type StoredDelta = Stored<DeltaName>;

/// The file of what a stream had in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredStream {
    /// The file.
    pub file: Stored<StreamName>,
    /// Bytes of its text.
    pub text: u64,
    /// Events that were buffered.
    pub events: u64,
    /// Mutations that were not yet sent.
    pub mutations: u64,
    /// Files of output.
    pub outputs: u64,
}

impl<N: Name> Stored<N> {
    /// What `bytes` are when they are stored under that name.
    pub(in crate::savepoint) fn of(name: N, bytes: &[u8], rows: u64) -> Self {
        Self { name, size: bytes.len() as u64, sha256: Sha256::digest(bytes).into(), rows }
    }

    /// Its path relative to the directory of `_metadata`.
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
    #[error(
        "it is of format version {0}; this program knows versions 1 and 2, so take one that is as new as the savepoint"
    )]
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

    /// How many files it names, and how many bytes they have.
    pub fn size(&self) -> (u64, u64) {
        let stream = self.stream.as_ref().map(|stream| stream.file.size);
        let sizes =
            self.files.iter().map(|file| file.size).chain(self.deltas.iter().map(|file| file.size)).chain(stream);
        sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes.saturating_add(size)))
    }

    /// The version of the format that it is stored in.
    fn version(&self) -> u64 {
        let plain = self.checkpoint.is_none() && self.deltas.is_empty() && self.stream.is_none();
        if plain { VERSION } else { VERSION_OF_STREAMS }
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
        if !(VERSION..=VERSION_OF_STREAMS).contains(&head.format_version) {
            return Err(ManifestError::Version(head.format_version));
        }
        let wire: Wire = serde_json::from_slice(json)?;
        check(json, &wire.checksum)?;
        let manifest = wire.into_manifest()?;
        manifest.check()?;
        if manifest.version() != head.format_version {
            let text =
                format!("it holds what format version {} does not have, or lacks what it has", head.format_version);
            return Err(ManifestError::Inconsistent(text));
        }
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
            let is_off = |total: u64| self.deltas.is_empty() && total != rows[kind as usize];
            if total.is_none_or(|total| total > u64::from(EntityId::MAX_NUMBER) || is_off(total)) {
                return wrong(format!("the {} are not as many as their files have rows", kind.plural()));
            }
        }
        self.check_owners()
    }

    /// Checks that a savepoint names its own files only, and a checkpoint one base and deltas in the order of checkpoints.
    fn check_owners(&self) -> Result<(), ManifestError> {
        let wrong = |text: String| Err(ManifestError::Inconsistent(text));
        let Some(id) = self.checkpoint else {
            let foreign = self.files.iter().find(|file| !matches!(file.name.owner, Owner::Savepoint(_)));
            let foreign = foreign.map(StoredFile::path).or_else(|| self.deltas.first().map(StoredDelta::path));
            return foreign.map_or(Ok(()), |path| wrong(format!("{path} belongs to a checkpoint, and this is none")));
        };
        let owner = |file: &StoredFile| match file.name.owner {
            Owner::Checkpoint(id) => Some(id),
            Owner::Savepoint(_) => None,
        };
        let base = self.files.first().and_then(owner);
        if let Some(file) = self.files.iter().find(|file| owner(file).is_none() || owner(file) != base) {
            return wrong(format!("{} belongs to another", file.name));
        }
        let mut last = base;
        for delta in &self.deltas {
            if last.is_some_and(|last| last.number() >= delta.name.0.number()) {
                return wrong(format!("the file {} is listed out of order", delta.name));
            }
            last = Some(delta.name.0);
        }
        match last {
            Some(last) if last.number() > id.number() => wrong(format!("the checkpoint {id} names files of {last}")),
            _ => Ok(()),
        }
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
    counts: WireCounts,
    dump_starts: Option<WireDumpStarts>,
    offsets: Option<Vec<StartOffset>>,
    watermark: Option<String>,
    files: Vec<WireFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deltas: Vec<WireFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream: Option<WireStream>,
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireStream {
    path: String,
    size: u64,
    sha256: String,
    text_size: u64,
    events: u64,
    mutations: u64,
    outputs: u64,
}

impl<N: Name> From<&Stored<N>> for WireFile {
    fn from(file: &Stored<N>) -> Self {
        Self { path: file.path(), size: file.size, sha256: hex(&file.sha256), rows: file.rows }
    }
}

impl From<&StoredStream> for WireStream {
    fn from(stream: &StoredStream) -> Self {
        let WireFile { path, size, sha256, .. } = WireFile::from(&stream.file);
        let StoredStream { text, events, mutations, outputs, .. } = *stream;
        Self { path, size, sha256, text_size: text, events, mutations, outputs }
    }
}

impl From<&Manifest> for Wire {
    fn from(manifest: &Manifest) -> Self {
        let made = manifest.made.clone();
        let [q, p, l, m] = manifest.counts.map(|KindCount { created, deleted }| WireCount { created, deleted });
        Self {
            format: FORMAT.to_owned(),
            format_version: manifest.version(),
            created_at: made.created_at.to_string(),
            created_by: made.created_by,
            source: made.inputs,
            uris_scheme: WireUris { concept: made.concept, entity_data: made.entity_data },
            checkpoint: manifest.checkpoint.map(|id| id.to_string()),
            counts: WireCounts { Q: q, P: p, L: l, M: m },
            dump_starts: made.dump_starts.map(|starts| WireDumpStarts {
                oldest: starts.oldest.to_string(),
                newest: starts.newest.to_string(),
                headers: starts.headers,
            }),
            offsets: Some(manifest.offsets.clone()).filter(|offsets| !offsets.is_empty()),
            watermark: manifest.watermark.map(|watermark| watermark.to_string()),
            files: manifest.files.iter().map(WireFile::from).collect(),
            deltas: manifest.deltas.iter().map(WireFile::from).collect(),
            stream: manifest.stream.as_ref().map(WireStream::from),
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
        };
        let WireCounts { Q: q, P: p, L: l, M: m } = self.counts;
        let counts = [q, p, l, m].map(|WireCount { created, deleted }| KindCount { created, deleted });
        let checkpoint = self.checkpoint.as_deref().map(CheckpointId::parse).transpose();
        Ok(Manifest {
            made,
            checkpoint: checkpoint.map_err(|error| ManifestError::Inconsistent(error.to_string()))?,
            offsets: self.offsets.unwrap_or_default(),
            watermark: self.watermark.as_deref().map(time).transpose()?,
            counts,
            files: self.files.into_iter().map(WireFile::into_file).collect::<Result<_, _>>()?,
            deltas: self.deltas.into_iter().map(WireFile::into_file).collect::<Result<_, _>>()?,
            stream: self.stream.map(WireStream::into_stream).transpose()?,
        })
    }
}

impl WireFile {
    fn into_file<N: Name>(self) -> Result<Stored<N>, ManifestError> {
        let wrong = |what: &str| ManifestError::Inconsistent(format!("`{}` {what}", self.path.escape_debug()));
        let name = N::parse(&self.path).ok_or_else(|| wrong("is not the name of a state file"))?;
        let sha256 = unhex(&self.sha256).ok_or_else(|| wrong("is listed without its SHA-256"))?;
        Ok(Stored { name, size: self.size, sha256, rows: self.rows })
    }
}

impl WireStream {
    fn into_stream(self) -> Result<StoredStream, ManifestError> {
        let Self { path, size, sha256, text_size: text, events, mutations, outputs } = self;
        let rows = [mutations, outputs].into_iter().try_fold(events, u64::checked_add);
        let rows = rows.ok_or_else(|| {
            ManifestError::Inconsistent(format!("`{}` cannot have so many lines", path.escape_debug()))
        })?;
        let file = WireFile { path, size, sha256, rows }.into_file()?;
        Ok(StoredStream { file, text, events, mutations, outputs })
    }
}

/// A time as text, or none.
mod moment {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::wikibase::timestamp::Timestamp;

    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| Timestamp::parse(&text).map_err(D::Error::custom)).transpose()
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
