//! What went wrong in reconciling, and in looking at stores.

use crate::cli::error::{CliError, Kind, interrupted};
use crate::columns::ColumnsError;
use crate::entity_data::{FetchError, FetchSetUpError};
use crate::mediawiki::ApiError;
use crate::reconcile::audit::AuditError;
use crate::reconcile::dump::KnownError;
use crate::reconcile::inbox::InboxError;
use crate::reconcile::ship::ShipError;
use crate::reconcile::side_outputs::NoTag;
use crate::sparql::SparqlError;
use crate::verify::VerifyError;
use crate::web::WebError;

impl From<ApiError> for CliError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::SetUp(error) => error.into(),
            ApiError::Web(error) => web(error),
            ApiError::Busy { .. } => Self::of(Kind::Unavailable, &error).hint("try again later"),
            ApiError::Answer { .. } => Self::of(Kind::Data, &error)
                .hint("is it the API of the wiki? --api takes a URL like https://HOST/w/api.php"),
            ApiError::OtherWiki { .. } => Self::of(Kind::Usage, &error)
                .hint("give this wiki's with --api, or choose the other wiki with --uris-scheme, --hostname or --concept-uri"),
            ApiError::AllMissing { .. } => Self::of(Kind::Data, &error).hint(
                "are --api and --item-namespace right? If they are really gone, `headwater reconcile entities` takes ten at a time",
            ),
        }
    }
}

impl From<KnownError> for CliError {
    fn from(error: KnownError) -> Self {
        match error {
            KnownError::Savepoint(error) => error.into(),
            KnownError::Event { .. } => Self::of(Kind::Data, &error),
        }
    }
}

impl From<InboxError> for CliError {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::Unreadable { .. } => Self::of(Kind::Data, &error)
                .hint("is it a side output of an updater: lapsed-action, state-inconsistency or fetch-failure?"),
            InboxError::Columns(ColumnsError::Storage(error)) => error.into(),
            InboxError::Columns(_) => {
                Self::of(Kind::Data, &error).hint("is it whole, and a table of side outputs in Parquet? fetch it again")
            }
            InboxError::Decode(error) => error.into(),
            InboxError::Kafka(error) => error.into(),
            InboxError::Storage(error) => error.into(),
        }
    }
}

impl From<NoTag> for CliError {
    fn from(error: NoTag) -> Self {
        Self::of(Kind::Data, &error).hint("give a --source without it")
    }
}

impl From<AuditError> for CliError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => error.into(),
            AuditError::Line { .. } => Self::of(Kind::Usage, &error).hint("give --audit another file"),
        }
    }
}

impl From<ShipError> for CliError {
    fn from(error: ShipError) -> Self {
        match error {
            ShipError::Kafka(error) => error.into(),
            ShipError::Web(error) => web(error),
            ShipError::Audit(error) => error.into(),
            ShipError::Storage(error) => error.into(),
            ShipError::Stopped => interrupted(),
            ShipError::Stdout(_) => Self::of(Kind::Unavailable, &error),
            ShipError::Gate { is_passing, .. } => {
                Self::of(if is_passing { Kind::Unavailable } else { Kind::Data }, &error)
            }
        }
    }
}

impl From<SparqlError> for CliError {
    fn from(error: SparqlError) -> Self {
        match error {
            SparqlError::SetUp(error) => error.into(),
            SparqlError::Web(error) => web(error),
            SparqlError::Busy { .. } => Self::of(Kind::Unavailable, &error).hint("try again later"),
            SparqlError::Refused { .. } | SparqlError::NotTurtle { .. } => Self::of(Kind::Data, &error)
                .hint("is it the store's endpoint of queries? Oxigraph: http://HOST:7878/query"),
        }
    }
}

impl From<FetchSetUpError> for CliError {
    fn from(error: FetchSetUpError) -> Self {
        Self::of(Kind::Usage, &error)
    }
}

impl From<VerifyError> for CliError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Store(error) => error.into(),
            VerifyError::Api(error) => error.into(),
            VerifyError::Empty => {
                Self::of(Kind::Data, &error).hint("is it the right endpoint, and is the store loaded?")
            }
            VerifyError::NoCount { .. } => Self::of(Kind::Data, &error)
                .hint("is it the store's endpoint of queries? without --orphans it need not count"),
            VerifyError::Fetch(FetchError::Unavailable { .. }) => {
                Self::of(Kind::Unavailable, &error).hint("is --entity-data right, and is --route needed?")
            }
            VerifyError::Fetch(_) => Self::of(Kind::Data, &error),
        }
    }
}

fn web(error: WebError) -> CliError {
    match error {
        WebError::Stopped => interrupted(),
        WebError::Url(_) => CliError::of(Kind::Usage, &error),
        WebError::OutOfReach { .. } => {
            CliError::of(Kind::Unavailable, &error).hint("is it the right URL, and is --route needed?")
        }
        WebError::BadAnswer { .. } => CliError::of(Kind::Data, &error),
    }
}
