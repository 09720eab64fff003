//! Where reconcile events go.

use std::fmt;

use serde::Serialize;

use crate::bootstrap::report::{counted, grouped};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::keep_apart;
use crate::cli::offsets::connection::{Connection, topic};
use crate::cli::progress::Watcher;
use crate::cli::reconcile::wiki::ApiArgs;
use crate::env::Env;
use crate::event::ReconcileAction;
use crate::kafka::sender::Sender;
use crate::kafka::{Partition, Topic};
use crate::reconcile::audit::Audit;
use crate::reconcile::repair::Repair;
use crate::reconcile::ship::{Manner, STREAM, Shipped, Shipping, Target};
use crate::reconcile::side_outputs::PLACES;
use crate::storage::{self, Location, StorageError};
use crate::web::{self, Calls};
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
    /// Send nothing: only say what would be sent there
    #[arg(long)]
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
    pub shipped: Shipped,
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
    /// `json`: whether the report goes to stdout.
    pub fn check(&self, json: bool) -> Result<(), CliError> {
        if !self.dry_run && self.to.is_none() {
            return Err(CliError::usage("no place: say where events go with --to, or --dry-run"));
        }
        if !self.dry_run && self.source.as_ref().is_none_or(|source| source.trim().is_empty()) {
            return Err(CliError::usage("no tag: say which updater is to repair with --source, or --dry-run"));
        }
        if json && !self.dry_run && self.to.as_deref() == Some("-") {
            return Err(CliError::usage("--json and --to - would both write to stdout: send the events to a file"));
        }
        if self.to.as_deref().map_or(Ok(None), topic)?.is_some() {
            self.kafka.settings(GROUP)?;
        }
        if let Some(file) = self.audit()? {
            Audit::look(&file)?;
        }
        match self.place()? {
            Some(Place::File(file)) if !self.dry_run && storage::exists(&file)? => {
                let error = CliError::from(StorageError::AlreadyExists { location: file });
                Err(error
                    .hint("events are never written over what is there: give --to another file, or move this one away"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a tag with a place in it that only a side output can fill.
    pub fn check_tag(&self) -> Result<(), CliError> {
        match PLACES.into_iter().find(|place| self.source().contains(place)) {
            Some(place) => {
                let message =
                    format!("--source {}: `{place}` is filled from side outputs, and here are none", self.source());
                Err(CliError::usage(message).hint("write out the tag of the updater that is to repair"))
            }
            None => Ok(()),
        }
    }

    /// Refuses to write where something is read, or twice to one file, that of `findings` being another.
    pub fn check_files(&self, findings: Option<&str>, read: &[Location]) -> Result<(), CliError> {
        let mut written = Vec::new();
        if let Some(findings) = findings {
            written.push(("--findings", Location::parse(findings)?));
        }
        if let Some(Place::File(file)) = self.place()? {
            written.push(("--to", file));
        }
        written.extend(self.audit()?.map(|file| ("--audit", file)));
        keep_apart(&written, read)
    }

    /// The file in which is noted what was sent.
    fn audit(&self) -> Result<Option<Location>, CliError> {
        Ok(self.audit.as_deref().map(Location::parse).transpose()?)
    }

    /// Whether there is something that says where events go.
    pub fn has_place(&self) -> bool {
        self.to.is_some()
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
        let open = if self.dry_run { Audit::look } else { Audit::open };
        let mut shipping = Shipping {
            target: self.target(api, env)?,
            audit: self.audit()?.as_ref().map(open).transpose()?,
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
        let mut first = Vec::new();
        let outcome = shipping.ship(repairs, |json| {
            if first.len() < SHOWN {
                first.push(String::from_utf8_lossy(json).into_owned());
            }
        });
        drop(watcher);
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
        let place = self.place()?;
        if self.dry_run {
            return Ok(Target::Nowhere(place.map_or_else(String::new, |place| place.to_string())));
        }
        Ok(match place {
            None => Target::Nowhere(String::new()),
            Some(Place::Stdout) => Target::Stdout(Box::new(std::io::stdout())),
            Some(Place::Topic(topic)) => {
                let sender = Sender::new(&self.kafka.settings(GROUP)?)?;
                Target::Topic(Box::new(sender), Partition { topic, number: 0 })
            }
            Some(Place::Gate(url)) => {
                let calls = Calls::new(api.user_agent(), self.kafka.timeout()?, MOST, api.routes()?, env)?;
                Target::Gate(Box::new(calls), url)
            }
            Some(Place::File(file)) => Target::file(&file)?,
        })
    }

    /// Where events go, as it is said.
    fn place(&self) -> Result<Option<Place>, CliError> {
        let Some(to) = &self.to else { return Ok(None) };
        Ok(Some(match topic(to)? {
            Some(topic) => Place::Topic(topic),
            None if to == "-" => Place::Stdout,
            None if to.starts_with("http://") || to.starts_with("https://") => {
                web::Target::new(to, &[]).map_err(|error| CliError::usage(error.to_string()))?;
                Place::Gate(to.clone())
            }
            None => Place::File(Location::parse(to)?),
        }))
    }
}

/// Where events go.
enum Place {
    Topic(Topic),
    Gate(String),
    File(Location),
    Stdout,
}

impl fmt::Display for Place {
    /// As `Target::name` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(topic) => write!(f, "kafka:{topic}"),
            Self::Gate(url) => f.write_str(url),
            Self::File(file) => file.fmt(f),
            Self::Stdout => f.write_str("-"),
        }
    }
}

/// How many events a dry run shows.
const SHOWN: usize = 3;

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.creations + self.deletions;
        let parts = format!("{} to fetch, {} to delete", grouped(self.creations), grouped(self.deletions));
        match &self.to {
            Some(to) => writeln!(f, "sent         {} to {to}", counted(self.shipped.sent, "event"))?,
            None => writeln!(f, "to send      {}", counted(events - self.shipped.sent_before, "event"))?,
        }
        if self.shipped.sent_before > 0 {
            writeln!(f, "sent before  {}", counted(self.shipped.sent_before, "event"))?;
        }
        if events > 0 {
            writeln!(f, "in all       {parts}")?;
        }
        if !self.first.is_empty() {
            writeln!(f, "such as")?;
        }
        self.first.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}
