//! What went wrong, as people and schedulers need it: a kind, a message, its causes, a hint.

mod consume;
mod reconcile;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use crate::bootstrap::BootstrapError;
use crate::bootstrap::guard::Refusal;
use crate::compression::source::DecodeError;
use crate::control::ControlError;
use crate::event_streams::{ConfigurationError, StreamError};
use crate::import::ImportError;
use crate::kafka::{KafkaError, PropertyError};
use crate::offsets::OffsetsError;
use crate::revision_map::RevisionMapError;
use crate::savepoint::SavepointError;
use crate::savepoint::flink::Unfit;
use crate::sql::SqlError;
use crate::storage::StorageError;
use crate::triples::TriplesError;
use crate::updater::line::LineError;
use crate::updater::outputs::OutputError;
use crate::updater::service::ServiceError;
use crate::updater::source::SourceError;
use crate::web::{SetUpError, WebError};
use crate::wikibase::uris::UrisError;

/// Who must act; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bad data, or work that failed: 1.
    Data,
    /// Usage or configuration: 2.
    Usage,
    /// The outside world; the same command may succeed later: 3.
    Unavailable,
    /// Our bug: 70.
    Bug,
    /// Ctrl-C or SIGTERM: 130.
    Interrupted,
}

/// An error on its way to the user.
#[derive(Debug)]
pub struct CliError {
    kind: Kind,
    message: String,
    hint: Option<String>,
    /// Clap words its own errors (and its help, which is none).
    clap: Option<clap::Error>,
}

impl CliError {
    /// An error of that kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, clap: None }
    }

    /// With advice on what to do.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Wrong arguments.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Something that cannot happen.
    pub fn bug(error: &dyn Error) -> Self {
        Self::new(Kind::Bug, chain(error))
    }

    /// A panic, with what it said.
    pub fn panicked(message: &str) -> Self {
        Self::new(Kind::Bug, format!("headwater broke one of its own rules: {message}"))
            .hint("this is a bug in headwater; please report it with the command and this message")
    }

    /// Stdout could not be written.
    pub fn stdout(error: std::io::Error) -> Self {
        Self::new(Kind::Unavailable, format!("could not write to stdout: {error}"))
    }

    /// Prints the error on stderr and gives the exit code.
    pub fn report(self) -> ExitCode {
        if let Some(clap) = self.clap {
            let _ = clap.print();
            return ExitCode::from(u8::try_from(clap.exit_code()).unwrap_or(2));
        }
        let mut text = format!("error: {}\n", printable(&self.message));
        if let Some(hint) = self.hint {
            text.push_str(&format!("hint: {}\n", printable(&hint)));
        }
        // If stderr is gone there is nobody left to tell.
        let _ = std::io::stderr().write_all(text.as_bytes());
        ExitCode::from(match self.kind {
            Kind::Data => 1,
            Kind::Usage => 2,
            Kind::Unavailable => 3,
            Kind::Bug => 70,
            Kind::Interrupted => 130,
        })
    }

    fn of(kind: Kind, error: &dyn Error) -> Self {
        Self::new(kind, chain(error))
    }

    fn maybe_hint(self, hint: Option<&str>) -> Self {
        Self { hint: hint.map(str::to_owned), ..self }
    }
}

/// Without control characters but line feeds and tabs: what a damaged file holds must not steer a terminal.
pub fn printable(text: &str) -> String {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// As [`printable`], and in one line.
pub fn in_a_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], "\u{fffd}")
}

/// The message and those of all causes.
fn chain(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !message.contains(&cause_text) {
            message.push_str(": ");
            message.push_str(&cause_text);
        }
        source = cause.source();
    }
    message
}

impl From<clap::Error> for CliError {
    fn from(error: clap::Error) -> Self {
        Self { clap: Some(error), ..Self::usage("") }
    }
}

impl From<UrisError> for CliError {
    fn from(error: UrisError) -> Self {
        Self::of(Kind::Usage, &error)
    }
}

impl From<StorageError> for CliError {
    fn from(error: StorageError) -> Self {
        let (kind, hint) = match &error {
            StorageError::Unavailable { .. } => (Kind::Unavailable, None),
            StorageError::Forbidden { .. } => (Kind::Usage, Some("is it the right user, and may he do that there?")),
            StorageError::Changed { .. } => (Kind::Data, Some("begin again, when nobody writes there")),
            StorageError::ReadOnly { .. } => (Kind::Usage, Some("choose another place")),
            StorageError::TooShort { .. } => (Kind::Data, Some("did it change while it was being read?")),
            StorageError::NotADirectory { .. } => (Kind::Usage, Some("choose another place")),
            StorageError::AlreadyExists { .. } => (Kind::Usage, Some("choose another place, or pass --overwrite")),
            StorageError::InUse { .. } => {
                (Kind::Unavailable, Some("wait for it to end; the claim ends with the process"))
            }
            StorageError::TooLarge { .. } => (Kind::Usage, Some("is it the right file?")),
            StorageError::NotAFile { .. } => {
                (Kind::Usage, Some("pipes and devices cannot be read in parts; give a file"))
            }
            _ => (Kind::Usage, None),
        };
        Self::of(kind, &error).maybe_hint(hint)
    }
}

impl From<DecodeError> for CliError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Storage(error) => error.into(),
            DecodeError::Truncated { .. } => Self::of(Kind::Data, &error).hint(
                "the download was probably broken off; compare the size and the published checksum, and fetch it again",
            ),
            DecodeError::Corrupt { .. } => {
                Self::of(Kind::Data, &error).hint("compare the published checksum, and fetch the file again")
            }
        }
    }
}

impl From<SavepointError> for CliError {
    fn from(error: SavepointError) -> Self {
        match error {
            SavepointError::Storage(error) => error.into(),
            SavepointError::Cancelled => interrupted(),
            SavepointError::Exists { .. } => {
                Self::of(Kind::Usage, &error).hint("choose another directory, or pass --overwrite to replace it")
            }
            SavepointError::Unfinished { .. } => Self::of(Kind::Usage, &error).hint(
                "choose another directory; or, if it is certain that nobody is writing there, pass --overwrite",
            ),
            SavepointError::Overtaken { .. } => {
                Self::of(Kind::Unavailable, &error).hint("let one of the two write, to a directory of its own")
            }
            SavepointError::NotEmpty { .. } => Self::of(Kind::Usage, &error)
                .hint("choose another directory: headwater never deletes files that are not its own"),
            SavepointError::NotASavepoint { .. } => {
                Self::of(Kind::Data, &error).hint(
                    "a run that was killed leaves no _metadata: run bootstrap again; a run that wrote two formats has a directory for each, flink and native",
                )
            }
            SavepointError::Unfit { ref unfit, .. } => {
                let hint = unfit_hint(unfit);
                Self::of(Kind::Data, &error).hint(hint)
            }
            SavepointError::Manifest { .. } | SavepointError::State { .. } => Self::of(Kind::Data, &error)
                .hint("restore it from a copy, or find another with `headwater savepoint list`"),
            error => {
                Self::of(Kind::Data, &error).hint("see `headwater savepoint verify` for all that is wrong with it")
            }
        }
    }
}

fn unfit_hint(unfit: &Unfit) -> &'static str {
    match unfit {
        Unfit::Operator { .. } => "is it a savepoint of the streaming-updater-producer? It may be of another job",
        Unfit::Form(_) => {
            "take a canonical savepoint of the job: `flink savepoint --type canonical JOB`, or \
             `flink stop --type canonical JOB`"
        }
        Unfit::Odd { .. } => "see them all with `headwater savepoint verify`; another tool has put them there",
    }
}

impl From<BootstrapError> for CliError {
    fn from(error: BootstrapError) -> Self {
        match error {
            BootstrapError::Decode(error) => error.into(),
            BootstrapError::Storage(error) => error.into(),
            BootstrapError::Savepoint(error) => error.into(),
            BootstrapError::Sql(error) => error.into(),
            BootstrapError::RevisionMap(error) => error.into(),
            BootstrapError::Stopped => interrupted(),
            BootstrapError::Clash(..) | BootstrapError::Twice(_) => Self::of(Kind::Usage, &error),
            BootstrapError::Refused(Refusal::Empty { .. }) => {
                Self::of(Kind::Data, &error).hint("was the file written to its end?")
            }
            BootstrapError::Unfinished(_) => {
                Self::of(Kind::Data, &error).hint("is it whole, and a dump? compare the size and the published checksum")
            }
            BootstrapError::Table { .. } => Self::of(Kind::Data, &error).hint(TRIPLES),
            BootstrapError::BadEntity(_) => Self::of(Kind::Data, &error)
                .hint("fetch the file again if it was damaged; or pass --on-bad-entity skip to go on and list it in the report"),
            BootstrapError::Refused(Refusal::NoRevisions { ref foreign, skipped, .. }) => {
                let hint = match foreign {
                    Some(subject) => format!(
                        "its entities are named like {subject}: choose the wiki with --uris-scheme, --hostname or --concept-uri"
                    ),
                    None if skipped > 0 => format!(
                        "{skipped} of its parts break a rule: --on-bad-entity stop tells which; a truthy dump has no \
                         entity-data nodes: give the full dump (wikidata-…-all-BETA.ttl)"
                    ),
                    None => "truthy dumps have no entity-data nodes: give the full dump \
                             (wikidata-…-all-BETA.ttl)"
                        .to_owned(),
                };
                Self::of(Kind::Data, &error).hint(hint)
            }
        }
    }
}

impl From<ImportError> for CliError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Bootstrap(error) => (*error).into(),
            ImportError::Triples(error) => error.into(),
            ImportError::Occupied { is_ours: true, is_finished, .. } => {
                Self::of(Kind::Usage, &error).hint(if is_finished {
                    "a finished import is there: choose another directory, or pass --overwrite to replace it"
                } else {
                    "an unfinished import is there: go on with it with --resume, or pass --overwrite to begin anew"
                })
            }
            ImportError::Changed(_) => {
                Self::of(Kind::Data, &error).hint("pass --overwrite without --resume to begin anew")
            }
            ImportError::BadJournal { .. } | ImportError::OtherRun(_) => Self::of(Kind::Usage, &error)
                .hint("give the options of that run, or pass --overwrite without --resume to begin anew"),
            ImportError::Occupied { is_ours: false, .. } => Self::of(Kind::Usage, &error)
                .hint("choose another directory: headwater never deletes files that are not its own"),
            ImportError::Nothing { .. } => {
                Self::of(Kind::Data, &error).hint("is this the right wiki, and a whole dump?")
            }
            ImportError::NoScratch(_) => Self::of(Kind::Usage, &error).hint("give --temp-dir a directory"),
            ImportError::NoDate(_) => Self::of(Kind::Usage, &error).hint("give the day with --date YYYYMMDD"),
            ImportError::TooManyBad { .. } => Self::of(Kind::Data, &error)
                .hint("is this the right wiki, and a whole dump? --max-bad-entities N allows more"),
        }
    }
}

impl From<ControlError> for CliError {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Address(_) => Self::of(Kind::Usage, &error),
            ControlError::Listen { .. } => {
                Self::of(Kind::Usage, &error).hint("choose another with --listen; port 0 takes any that is free")
            }
        }
    }
}

impl From<ServiceError> for CliError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Kafka(error) | ServiceError::Line(LineError::Output(OutputError::Kafka(error))) => {
                error.into()
            }
            ServiceError::Line(LineError::Output(OutputError::Storage(error))) => error.into(),
            ServiceError::Line(LineError::Source(error)) => error.into(),
            ServiceError::Savepoint(error) | ServiceError::Line(LineError::Checkpoint(error)) => error.into(),
            ServiceError::Checkpoint { ref source, .. }
                if matches!(**source, SavepointError::Storage(StorageError::Unavailable { .. })) =>
            {
                Self::of(Kind::Unavailable, &error)
            }
            ServiceError::Checkpoint { .. } => Self::of(Kind::Data, &error).hint(
                "what was sent fits to this checkpoint alone: bring its files back, or --checkpoints with it; else begin anew, \
                 with a savepoint and `headwater offsets`",
            ),
            ServiceError::Line(LineError::Output(OutputError::Stdout(_))) => Self::of(Kind::Unavailable, &error),
            ServiceError::Line(LineError::Output(OutputError::Exists(_))) => Self::of(Kind::Usage, &error).hint(
                "go on from its checkpoints with --checkpoints, choose another file, or pass --overwrite-outputs",
            ),
            ServiceError::Buffered(_) => Self::of(Kind::Data, &error),
            ServiceError::Gap { .. } => Self::of(Kind::Data, &error).hint(
                "begin with a newer savepoint, positioned with `headwater offsets`; what is missing must be reconciled",
            ),
            ServiceError::Mixed { .. } | ServiceError::NoOffset(_) | ServiceError::Ahead { .. } => {
                Self::of(Kind::Usage, &error).hint("position the group with `headwater offsets plan` and `apply`")
            }
            ServiceError::Disagree { .. } => Self::of(Kind::Usage, &error).hint(
                "begin with a savepoint that has no positions, or position the group where the savepoint is, with \
                 `headwater offsets`",
            ),
            ServiceError::Broken { ref dir, ref id } => {
                let place = dir.join(&id.dir());
                let hint = format!(
                    "`headwater savepoint verify {place}` tells what is wrong: bring that back; or remove {place}, to go on from \
                     what was before it"
                );
                Self::of(Kind::Data, &error).hint(hint)
            }
            ServiceError::NoDirectory(_) => Self::of(Kind::Usage, &error)
                .hint("give it with --checkpoints; or position the group anew with `headwater offsets apply`"),
            ServiceError::NoState => {
                Self::of(Kind::Usage, &error).hint("give a savepoint with --initial-state, or say --from-nothing")
            }
            ServiceError::NoTime => Self::of(Kind::Usage, &error)
                .hint("give the time with --since: when the oldest of the dumps began, see `headwater dump-start`, or somewhat earlier"),
            ServiceError::UnknownTopics(_) | ServiceError::OtherWiki { .. } | ServiceError::Fetch(_) => {
                Self::of(Kind::Usage, &error)
            }
        }
    }
}

impl From<SourceError> for CliError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Kafka(error) => error.into(),
            SourceError::Stream(error) => error.into(),
            SourceError::Storage(error) => error.into(),
            SourceError::Shrunk { .. } => {
                Self::of(Kind::Data, &error).hint("bring the file back as it was, with what was appended since")
            }
        }
    }
}

impl From<StreamError> for CliError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Url(_) | StreamError::Topic(_) | StreamError::SetUp(_) => Self::of(Kind::Usage, &error),
            StreamError::Refused { .. } => Self::of(Kind::Usage, &error).hint(
                "is it the URL of a stream, such as https://stream.wikimedia.org/v2/stream/mediawiki.page_change.v1? positions of \
                 another Kafka, and streams that are not public, are refused too",
            ),
            StreamError::OutOfReach { .. } => Self::of(Kind::Unavailable, &error)
                .hint("start it again with the same checkpoints, and it goes on; --give-up waits longer"),
            StreamError::TooLarge { .. } => Self::of(Kind::Data, &error),
            StreamError::Gap(_) => Self::of(Kind::Data, &error).hint(
                "without a later dump, --accept-gap goes on, and what changed in the gap must be reconciled; --gap-tolerance allows for \
                 streams in which little happens",
            ),
        }
    }
}

impl From<SetUpError> for CliError {
    fn from(error: SetUpError) -> Self {
        Self::of(Kind::Usage, &error)
    }
}

impl From<ConfigurationError> for CliError {
    fn from(error: ConfigurationError) -> Self {
        let kind = match error {
            ConfigurationError::Storage(error) => return error.into(),
            ConfigurationError::Web(WebError::Stopped) => return interrupted(),
            ConfigurationError::Web(WebError::OutOfReach { .. })
            | ConfigurationError::Status { status: 429 | 500.., .. } => Kind::Unavailable,
            ConfigurationError::Web(_) | ConfigurationError::Status { .. } | ConfigurationError::Streams { .. } => {
                Kind::Usage
            }
        };
        Self::of(kind, &error).hint(STREAM_CONFIG)
    }
}

impl From<TriplesError> for CliError {
    fn from(error: TriplesError) -> Self {
        match error {
            TriplesError::Storage(error) => error.into(),
            TriplesError::Stopped => interrupted(),
            TriplesError::ScratchLost => {
                Self::of(Kind::Data, &error).hint("pass --overwrite without --resume to begin anew")
            }
            error => Self::of(Kind::Data, &error),
        }
    }
}

fn interrupted() -> CliError {
    CliError::new(Kind::Interrupted, "interrupted; nothing that looks finished was left behind")
}

impl From<RevisionMapError> for CliError {
    fn from(error: RevisionMapError) -> Self {
        let hint = match error {
            RevisionMapError::Storage(error) => return error.into(),
            RevisionMapError::Cancelled => return interrupted(),
            RevisionMapError::Decode(error) => return error.into(),
            RevisionMapError::BadLine(_) => {
                "mend the line, or pass --on-bad-entity skip to go on and list it in the report; negative revisions can be \
                 taken for deletions with --negative-revisions deleted"
            }
            RevisionMapError::Columns(_) => {
                "a revision map in Parquet has the columns entity (text) and revision (64-bit)"
            }
            RevisionMapError::Exists { .. } => {
                return Self::of(Kind::Usage, &error).hint("choose another place, or pass --overwrite to replace it");
            }
            RevisionMapError::NotEmpty { .. } => {
                return Self::of(Kind::Usage, &error)
                    .hint("choose another directory: headwater never deletes files that are not its own");
            }
        };
        Self::of(Kind::Data, &error).hint(hint)
    }
}

impl From<PropertyError> for CliError {
    fn from(error: PropertyError) -> Self {
        Self::of(Kind::Usage, &error)
    }
}

impl From<KafkaError> for CliError {
    fn from(error: KafkaError) -> Self {
        let (kind, hint) = match error {
            KafkaError::Stopped => return interrupted(),
            KafkaError::Property { .. } | KafkaError::Settings(_) => {
                (Kind::Usage, "properties are those of librdkafka: see its CONFIGURATION.md")
            }
            KafkaError::Unreachable { .. } => {
                (Kind::Unavailable, "are these the brokers, and their security settings? --timeout gives more time")
            }
            KafkaError::Refused { .. } => (Kind::Data, "may this user describe and read the topics and the group?"),
            KafkaError::Active { .. } => (Kind::Data, STOP_GROUP),
            KafkaError::Unreadable { .. } => (Kind::Data, "make a new plan"),
            KafkaError::Lost { .. } => {
                (Kind::Data, "bootstrap anew from a later dump: what was lost cannot be had from the stream")
            }
            KafkaError::Fenced { .. } => (
                Kind::Usage,
                "a second updater was started with the same --group or --transactional-id: let one of them run, or give each its own",
            ),
            KafkaError::Transaction { .. } => {
                (Kind::Unavailable, "nothing of it is seen; start again, and it goes on from the last checkpoint")
            }
        };
        Self::of(kind, &error).hint(hint)
    }
}

impl From<OffsetsError> for CliError {
    fn from(error: OffsetsError) -> Self {
        let (kind, hint) = match &error {
            OffsetsError::Kafka(_) | OffsetsError::Storage(_) => {
                return match error {
                    OffsetsError::Kafka(error) => error.into(),
                    OffsetsError::Storage(error) => error.into(),
                    error => Self::of(Kind::Bug, &error),
                };
            }
            OffsetsError::File { .. } => {
                (Kind::Data, "give the file that `headwater offsets plan` or `apply` wrote".to_owned())
            }
            OffsetsError::OtherCluster { .. } => (Kind::Usage, "give the brokers of that cluster".to_owned()),
            OffsetsError::Future { .. } => {
                (Kind::Usage, "give the start of the dump, in UTC or with its offset".to_owned())
            }
            OffsetsError::NoTopic(_) => (
                Kind::Data,
                "is a --prefix missing, such as eqiad.? Topics that this user may not see are not there".to_owned(),
            ),
            OffsetsError::Active { .. } => (Kind::Data, STOP_GROUP.to_owned()),
            OffsetsError::Changed(_) => (Kind::Data, "make a new plan".to_owned()),
            OffsetsError::Risky(risks) => {
                let flags: Vec<_> = risks.iter().map(|risk| format!("--allow-{}", risk.name())).collect();
                (Kind::Data, format!("to go on all the same: {}", flags.join(" ")))
            }
            OffsetsError::HalfWay { saved, .. } | OffsetsError::NotKept { saved, .. } => {
                let kind = if matches!(error, OffsetsError::HalfWay { .. }) { Kind::Unavailable } else { Kind::Data };
                let hint = format!(
                    "`headwater offsets verify` tells what is committed; `headwater offsets rollback {saved}` goes back"
                );
                (kind, hint)
            }
        };
        Self::of(kind, &error).hint(hint)
    }
}

impl From<SqlError> for CliError {
    fn from(error: SqlError) -> Self {
        let (kind, hint) = match error {
            SqlError::Savepoint(error) => return error.into(),
            SqlError::Storage(error) => return error.into(),
            SqlError::NoEngine => (Kind::Usage, Some("build it with `--features sql`".to_owned())),
            SqlError::Cancelled => return Self::new(Kind::Interrupted, "interrupted"),
            SqlError::Bug(_) => return Self::of(Kind::Bug, &error),
            SqlError::Statement(ref words) if words.starts_with("table '") => {
                (Kind::Usage, Some("tables are given with --table NAME=PLACE".to_owned()))
            }
            SqlError::Statement(_) | SqlError::TableName { .. } => (Kind::Usage, None),
            SqlError::NotOne(_) => (Kind::Usage, Some("give one statement; several are run one by one".to_owned())),
            SqlError::NotReadOnly(_) => {
                (Kind::Usage, Some("SELECT, WITH, EXPLAIN, DESCRIBE and SHOW are; --output writes a result".to_owned()))
            }
            SqlError::NoValue(ref name) => (Kind::Usage, Some(format!("give it with --set {name}=VALUE"))),
            SqlError::NoParameter(_) => (Kind::Usage, Some("a parameter is written :name in a statement".to_owned())),
            SqlError::NotATable { .. } | SqlError::RevisionMap(_) => (Kind::Data, Some(TABLES.to_owned())),
            SqlError::Memory(_) => (Kind::Data, Some("give more with --memory".to_owned())),
            SqlError::Failed(ref words) if words.contains("Parquet") => (
                Kind::Data,
                Some("a file of the table is damaged: compare the checksums, if _manifest.json has them".to_owned()),
            ),
            SqlError::Unavailable(_) | SqlError::Write(_) => (Kind::Unavailable, None),
            SqlError::Failed(_) => (Kind::Data, None),
        };
        Self::of(kind, &error).maybe_hint(hint.as_deref())
    }
}

const STREAM_CONFIG: &str = "give MediaWiki's answer, such as https://meta.wikimedia.org/w/api.php?action=streamconfigs&format=json, or a file with it";
const STOP_GROUP: &str = "stop its consumers first: Kafka takes no offsets from others while it has members";
const TRIPLES: &str = "a triples table has the columns context, subject, predicate and object, each an N-Triples term; \
    _manifest.json beside its files, if `import` made them, has their checksums";
const TABLES: &str =
    "a table is made of Parquet files, or is a savepoint, or a revision map: lines of `entity,revision`";
