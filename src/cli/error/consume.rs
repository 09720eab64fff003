//! What went wrong in keeping a store up to date.

use crate::cli::error::{CliError, Kind, interrupted};
use crate::consume::ConsumeError;
use crate::consume::target::TargetError;

impl From<ConsumeError> for CliError {
    fn from(error: ConsumeError) -> Self {
        match error {
            ConsumeError::Source(error) => error.into(),
            ConsumeError::Target(TargetError::Sparql(error)) => error.into(),
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

fn own(error: &ConsumeError) -> CliError {
    let (kind, hint) = match error {
        ConsumeError::Record { .. } => (
            Kind::Data,
            "the store is just before it; --on-bad-message skip leaves it out: then the entities it changes must be reconciled",
        ),
        ConsumeError::Unfinished(_) => (Kind::Data, "more of the stream is needed; what comes before is applied"),
        ConsumeError::Another { .. } => (Kind::Data, "stop one of the two"),
        ConsumeError::Lost { .. } => (Kind::Data, "load the store anew, from a newer dump"),
        ConsumeError::Ahead { .. } => {
            (Kind::Data, "is it the cluster that the store followed? --anew with --since begins elsewhere")
        }
        ConsumeError::NoTime { .. } => (Kind::Data, "load the store from a newer dump, or begin with --earliest"),
        ConsumeError::Target(_) => {
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
        | ConsumeError::GaveUp { .. }
        | ConsumeError::NotDone { .. }
        | ConsumeError::Rewound { .. }
        | ConsumeError::Stopped => (Kind::Unavailable, "the same command goes on where the store is"),
    };
    CliError::of(kind, error).hint(hint)
}
