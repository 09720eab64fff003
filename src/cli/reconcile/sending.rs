//! Where reconcile events go.

use std::fmt;

use serde::Serialize;

use crate::bootstrap::report::{counted, grouped};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::offsets::connection::{Connection, topic};
use crate::cli::progress::Watcher;
use crate::cli::reconcile::wiki::ApiArgs;
use crate::cli::runtime;
use crate::env::Env;
use crate::event::ReconcileAction;
use crate::kafka::Partition;
use crate::kafka::sender::Sender;
use crate::reconcile::audit::Audit;
use crate::reconcile::repair::Repair;
use crate::reconcile::ship::{Manner, STREAM, Shipped, Shipping, Target};
use crate::storage::{self, Location, StorageError};
use crate::web::Calls;
use crate::wikibase::uris::UrisScheme;

/// The group that Kafka's client is given; none is joined.
pub const GROUP: &str = "headwater-reconcile";
/// How much an EventGate may answer, in bytes.
const MOST: usize = 16 << 20;

/// Where events go, and how.
#[derive(Debug, clap::Args)]
pub struct SendArgs {
    /// Where events go: kafka:TOPIC, the URL of an EventGate (https://…/v1/events), a file of lines, or - for standard output
    #[arg(long, value_name = "PLACE", env = "HEADWATER_RECONCILE_TO")]
    to: Option<String>,
    /// Send nothing: only say what would be sent
    #[arg(long, conflicts_with = "to")]
    dry_run: bool,
    /// The tag of the updater that is to repair, such as wdqs_sideoutputs_reconcile@eqiad: that of its --reconcile-source
    #[arg(long, value_name = "TAG", env = "HEADWATER_SOURCE")]
    source: Option<String>,
    /// The stream that events name
    #[arg(long, value_name = "NAME", default_value = STREAM, env = "HEADWATER_RECONCILE_STREAM")]
    stream: String,
    /// The wiki's host, as events name it [default: by the wiki]
    #[arg(long, value_name = "HOST", env = "HEADWATER_DOMAIN")]
    domain: Option<String>,
    /// How many events are sent in a second, at most: each is a document that the updater fetches
    #[arg(long, value_name = "N", default_value_t = 50, env = "HEADWATER_RATE", value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Send nothing if there are more events than that
    #[arg(long, value_name = "N", default_value_t = 100_000, env = "HEADWATER_MAX_EVENTS")]
    max_events: usize,
    /// A file in which is noted what was sent and why; what it says was sent is not sent again
    #[arg(long, value_name = "FILE", env = "HEADWATER_AUDIT")]
    audit: Option<String>,
    /// Send also what was sent before, as --audit tells
    #[arg(long, requires = "audit")]
    again: bool,
    #[command(flatten)]
    kafka: Connection,
}

/// What was sent, for people and as JSON.
#[derive(Debug, Serialize)]
pub struct Sent {
    /// Where to; nothing for a dry run.
    to: Option<String>,
    creations: u64,
    deletions: u64,
    #[serde(flatten)]
    shipped: Shipped,
    #[serde(skip)]
    first: Vec<String>,
}

impl SendArgs {
    /// The tag, or a stand-in for a dry run.
    pub fn source(&self) -> &str {
        self.source.as_deref().unwrap_or("dry-run")
    }

    /// The wiki's host, as events name it.
    pub fn domain(&self, scheme: &UrisScheme) -> String {
        self.domain.clone().unwrap_or_else(|| scheme.host().to_owned())
    }

    /// How to reach Kafka.
    pub fn kafka(&self) -> &Connection {
        &self.kafka
    }

    /// Refuses what cannot work before anything is done.
    pub fn check(&self) -> Result<(), CliError> {
        if !self.dry_run && self.to.is_none() {
            return Err(CliError::usage("no place: say where events go with --to, or --dry-run"));
        }
        if !self.dry_run && self.source.is_none() {
            return Err(CliError::usage("no tag: say which updater is to repair with --source, or --dry-run"));
        }
        if self.to.as_deref().map_or(Ok(None), topic)?.is_some() {
            self.kafka.settings(GROUP)?;
        }
        if let Some(file) = &self.audit {
            Audit::open(&Location::parse(file)?)?;
        }
        Ok(())
    }

    /// Sends repairs.
    pub fn send(
        &self,
        repairs: &[Repair],
        scheme: &UrisScheme,
        api: &ApiArgs,
        env: &Env,
        output: &Output,
    ) -> Result<Sent, CliError> {
        if repairs.len() > self.max_events && !self.dry_run {
            let message = format!(
                "{} are to be sent, and --max-events allows {}",
                counted(repairs.len() as u64, "event"),
                grouped(self.max_events as u64)
            );
            return Err(CliError::new(Kind::Data, message)
                .hint("look at them with --dry-run; is it the state of the same wiki, and are all dumps given?"));
        }
        let of = |action| repairs.iter().filter(|repair| repair.action == action).count() as u64;
        let audit = self.audit.as_deref().map(Location::parse).transpose()?;
        let is_shown = self.to.as_deref() == Some("-");
        let mut shipping = Shipping {
            target: self.target(api, env)?,
            audit: audit.as_ref().map(Audit::open).transpose()?,
            manner: Manner {
                domain: self.domain(scheme),
                stream: self.stream.clone(),
                source: self.source().to_owned(),
                rate: self.rate,
                again: self.again,
            },
            env,
            shipped: Shipped::default(),
        };
        let watcher = Watcher::start(&env.progress, output.quiet || self.dry_run);
        let (mut first, mut printed) = (Vec::new(), Ok(()));
        let outcome = shipping.ship(repairs, |json| {
            let line = String::from_utf8_lossy(json);
            if is_shown && printed.is_ok() {
                printed = runtime::print(&format!("{line}\n"));
            }
            if first.len() < SHOWN {
                first.push(line.into_owned());
            }
        });
        drop(watcher);
        printed?;
        let shipped = shipping.shipped;
        if let Err(error) = outcome {
            output.note(format_args!("sent before the error: {} of {}\n", shipped.sent, repairs.len()));
            return Err(error.into());
        }
        let (creations, deletions) = (of(ReconcileAction::ReconcileCreation), of(ReconcileAction::ReconcileDeletion));
        let to = (!self.dry_run).then(|| shipping.target.name());
        if self.dry_run {
            return Ok(Sent { to, creations, deletions, shipped: Shipped { sent: 0, ..shipped }, first });
        }
        Ok(Sent { to, creations, deletions, shipped, first: Vec::new() })
    }

    fn target(&self, api: &ApiArgs, env: &Env) -> Result<Target, CliError> {
        let Some(to) = &self.to else { return Ok(Target::Nowhere) };
        if to == "-" {
            return Ok(Target::Stdout);
        }
        if let Some(topic) = topic(to)? {
            let sender = Sender::new(&self.kafka.settings(GROUP)?)?;
            return Ok(Target::Topic(Box::new(sender), Partition { topic, number: 0 }));
        }
        if to.starts_with("http://") || to.starts_with("https://") {
            let timeout = self.kafka.timeout()?;
            let calls = Calls::new(api.user_agent(), timeout, MOST, api.routes()?, env)?;
            return Ok(Target::Gate(Box::new(calls), to.clone()));
        }
        let file = Location::parse(to)?;
        if storage::exists(&file)? {
            return Err(StorageError::AlreadyExists { location: file }.into());
        }
        Ok(Target::file(&file)?)
    }
}

/// How many events a dry run shows.
const SHOWN: usize = 3;

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.creations + self.deletions;
        let parts = format!("{} to fetch, {} to delete", grouped(self.creations), grouped(self.deletions));
        match &self.to {
            Some(to) => write!(f, "sent         {} to {to}", counted(self.shipped.sent, "event"))?,
            None => write!(f, "to send      {}", counted(events - self.shipped.sent_before, "event"))?,
        }
        writeln!(f, " ({parts})")?;
        if self.shipped.sent_before > 0 {
            writeln!(f, "sent before  {}", counted(self.shipped.sent_before, "event"))?;
        }
        if !self.first.is_empty() {
            writeln!(f, "such as")?;
        }
        self.first.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}
