//! What went wrong in keeping a store up to date.

use crate::cli::error::{CliError, Kind, interrupted};
use crate::consume::target::TargetError;
use crate::consume::{BadRecord, ConsumeError};
use crate::event_streams::StreamError;
use crate::kafka::KafkaError;
use crate::sparql::SparqlError;
use crate::updater::source::SourceError;

impl From<ConsumeError> for CliError {
    fn from(error: ConsumeError) -> Self {
        match error {
            error @ ConsumeError::Source(
                SourceError::Stream(StreamError::OutOfReach { .. }) | SourceError::Kafka(KafkaError::Lost { .. }),
            ) => own(&error),
            ConsumeError::Source(error) => error.into(),
            error @ ConsumeError::Target(TargetError::Sparql(SparqlError::Refused { .. })) => own(&error),
            ConsumeError::Target(TargetError::Sparql(error) | TargetError::Broken(error)) => error.into(),
            ConsumeError::Target(TargetError::Stdout(error)) => Self::stdout(error),
            ConsumeError::Stopped => interrupted(),
            error => own(&error),
        }
    }
}

impl From<TargetError> for CliError {
    fn from(error: TargetError) -> Self {
        ConsumeError::from(error).into()
    }
}

/// What to do about a store that refuses, by its status.
const fn refused(status: u16) -> (Kind, &'static str) {
    match status {
        401 | 403 => (Kind::Usage, "does it want a token? HEADWATER_SPARQL_TOKEN, or --sparql-token-file"),
        413 => {
            (Kind::Usage, "an update is too large for it: make them smaller with --batch, or let it take larger ones")
        }
        300..=399 => {
            (Kind::Usage, "it is elsewhere: give the endpoints where it sends to with --sparql and --sparql-update")
        }
        404 | 405 => {
            (Kind::Usage, "is that its endpoint? --sparql is that of queries, --sparql-update that of updates")
        }
        500.. => (Kind::Unavailable, "its own log says more; the same command goes on where the store is"),
        _ => (Kind::Data, "is it the right --store, and are --sparql and --sparql-update right?"),
    }
}

fn own(error: &ConsumeError) -> CliError {
    let cause = match error {
        ConsumeError::GaveUp { source, .. } => source,
        error => error,
    };
    let (kind, hint) = match cause {
        ConsumeError::Target(TargetError::Sparql(SparqlError::Refused { status, .. }))
        | ConsumeError::Refused { source: TargetError::Sparql(SparqlError::Refused { status, .. }), .. } => {
            refused(*status)
        }
        ConsumeError::Record { source: BadRecord::OtherWiki { .. }, .. } => {
            (Kind::Usage, "say which wiki with --uris-scheme, --hostname or --domain")
        }
        ConsumeError::OtherFile { .. } => (Kind::Data, "bring the file back, or begin anew with --anew --earliest"),
        ConsumeError::OtherRecord { .. } => (
            Kind::Data,
            "was the topic made anew, the cluster changed, or the file replaced? then load the store anew, or begin with --anew where \
             nothing is missed",
        ),
        ConsumeError::NotDone { .. } => {
            (Kind::Data, "is --sparql-update the store's endpoint of updates, and may it be written?")
        }
        ConsumeError::Record { .. } => (
            Kind::Data,
            "the store is just before it; --on-bad-message skip leaves it out: then the entities it changes must be reconciled",
        ),
        ConsumeError::Unfinished(_) => (Kind::Data, "more of the stream is needed; what comes before is applied"),
        ConsumeError::Another { .. } => (Kind::Data, "stop one of the two"),
        ConsumeError::Lost { .. } | ConsumeError::Source(SourceError::Kafka(KafkaError::Lost { .. })) => {
            (Kind::Data, "load the store anew, from a newer dump")
        }
        ConsumeError::Ahead { .. } => {
            (Kind::Data, "is it the cluster that the store followed? --anew with --since begins elsewhere")
        }
        ConsumeError::NoTime { .. } => (Kind::Data, "load the store from a newer dump, or begin with --earliest"),
        ConsumeError::Target(TargetError::Position(_)) => {
            (Kind::Data, "is it a store that something else keeps up to date? --anew begins in spite of it")
        }
        ConsumeError::NoStart => (
            Kind::Usage,
            "say where to begin: --manifest with what `import` wrote, --since with a time, --earliest, or --committed",
        ),
        ConsumeError::OtherStream { .. } => (
            Kind::Usage,
            "read the stream that the store followed, or begin in this one with --anew and --since or --manifest",
        ),
        ConsumeError::Partitions { .. } => {
            (Kind::Usage, "is it the topic's name, with its prefix, such as eqiad.rdf-streaming-updater.mutation?")
        }
        ConsumeError::NoCommit(_) => {
            (Kind::Usage, "is --group the one of the consumer that kept the store up to date?")
        }
        ConsumeError::Source(_)
        | ConsumeError::Target(_)
        | ConsumeError::Refused { .. }
        | ConsumeError::GaveUp { .. }
        | ConsumeError::Rewound { .. }
        | ConsumeError::Stopped => (Kind::Unavailable, "the same command goes on where the store is"),
    };
    CliError::of(kind, error).hint(hint)
}
