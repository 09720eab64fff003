//! `headwater reconcile side-outputs`: what the updater could not do, asked for again.

use std::fmt;

use serde::Serialize;

use crate::bootstrap::OnBadEntity;
use crate::bootstrap::report::grouped;
use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::input::{BadEntity, WikiArgs};
use crate::cli::offsets::connection::topic;
use crate::cli::reconcile::sending::{GROUP, SendArgs, Sent};
use crate::cli::reconcile::wiki::ApiArgs;
use crate::env::Env;
use crate::reconcile::inbox::{InboxError, Place};
use crate::reconcile::side_outputs::{Counts, NoTag, Told};
use crate::updater::service::in_full;
use crate::wikibase::timestamp::Timestamp;

/// Send reconcile events for what the updater told in its side outputs
///
/// Late events, inconsistencies and failed fetches, one event an entity: as upstream's UpdaterReconcile, which runs every hour. The wiki
/// is asked at which revision each entity is now. In the tag, $DC$ stands for the data centre of a side output, and $EMITTER_ID$ for the
/// pipeline that sent it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater reconcile side-outputs --side-outputs kafka:eqiad.rdf-streaming-updater.lapsed-action \\
    --side-outputs kafka:eqiad.rdf-streaming-updater.state-inconsistency --side-outputs kafka:eqiad.rdf-streaming-updater.fetch-failure \\
    --from 2026-01-12T10:00:00Z --until 2026-01-12T11:00:00Z --brokers kafka1:9092 \\
    --to https://eventgate.example.org/v1/events --source 'wdqs_sideoutputs_reconcile@$DC$'
  headwater reconcile side-outputs --side-outputs mutations.ndjson.side-outputs --dry-run")]
pub struct Args {
    /// Where they are: kafka:TOPIC, files of lines of JSON (globs in their names allowed), or a table in Parquet, such as
    /// /data/lapsed_action/datacenter=eqiad/year=2026/month=1/day=12/hour=10; give it once for each
    #[arg(long = "side-outputs", value_name = "PLACE", required = true)]
    places: Vec<String>,
    /// From Kafka: those that were written at that time or later, with Z or an offset [default: all that are retained]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    from: Option<Timestamp>,
    /// From Kafka: those that were written before that time [default: all up to now]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    until: Option<Timestamp>,
    /// Do not ask the wiki: take revisions as the side outputs have them
    #[arg(long)]
    without_api: bool,
    #[command(flatten)]
    bad: BadEntity,
    #[command(flatten)]
    wiki: WikiArgs,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    send: SendArgs,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    counts: Counts,
    #[serde(flatten)]
    unreadable: Unreadable,
    #[serde(flatten)]
    sent: Sent,
}

/// What ends the reading.
enum Ended {
    Inbox(InboxError),
    Tag(NoTag),
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    args.send.check(output.json)?;
    let scheme = args.wiki.wiki()?.scheme;
    let places = args.places.iter().map(|place| args.place(place)).collect::<Result<Vec<_>, _>>()?;
    let read: Vec<_> = places.iter().flat_map(Place::read).cloned().collect();
    args.send.check_files(None, &read)?;
    let mut told = Told::new(&args.send.domain(&scheme), args.send.source());
    let mut unreadable = Unreadable::default();
    for place in &places {
        place.each::<Ended>(env, |received| match received {
            Ok(received) => told.take(received).map_err(Ended::Tag),
            Err(error) if args.bad.policy() == OnBadEntity::Skip => {
                unreadable.add(&error);
                Ok(())
            }
            Err(error) => Err(error.into()),
        })?;
    }
    let (repairs, counts) = match args.without_api {
        true => told.repairs(),
        false => told.confirmed(&mut args.api.api(&scheme, env)?)?,
    };
    let sent = args.send.send(&repairs, &scheme, &args.api, env, output)?;
    output.report(&Report { counts, unreadable, sent })
}

/// What was none, and left out.
#[derive(Debug, Default, Serialize)]
struct Unreadable {
    skipped_count: u64,
    /// The first of them: where, and why.
    skipped: Vec<String>,
}

impl Unreadable {
    /// How many are told.
    const TOLD: usize = 10;

    fn add(&mut self, error: &InboxError) {
        self.skipped_count += 1;
        if self.skipped.len() < Self::TOLD {
            self.skipped.push(in_full(error));
        }
    }
}

impl Args {
    fn place(&self, text: &str) -> Result<Place, CliError> {
        let Some(topic) = topic(text)? else { return Ok(Place::files(text)?) };
        let settings = self.send.kafka().settings(GROUP)?;
        Ok(Place::Topic(Box::new(settings), topic, self.from, self.until))
    }
}

impl From<InboxError> for Ended {
    fn from(error: InboxError) -> Self {
        Self::Inbox(error)
    }
}

impl From<Ended> for CliError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Inbox(error) => error.into(),
            Ended::Tag(error) => error.into(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { late, inconsistent, failed, harmless, other_wikis, gone } = self.counts;
        writeln!(
            f,
            "told         {} late events, {} inconsistencies, {} failed fetches",
            grouped(late),
            grouped(inconsistent),
            grouped(failed)
        )?;
        let rows = [
            (harmless, "that ask for nothing"),
            (other_wikis, "of other wikis"),
            (gone, "of entities that the wiki no longer has"),
        ];
        for (count, what) in rows.into_iter().filter(|(count, _)| *count > 0) {
            writeln!(f, "passed over  {} {what}", grouped(count))?;
        }
        for skipped in &self.unreadable.skipped {
            writeln!(f, "skipped      {skipped}")?;
        }
        if let Some(more @ 1..) = self.unreadable.skipped_count.checked_sub(self.unreadable.skipped.len() as u64) {
            writeln!(f, "skipped      … and {} more", grouped(more))?;
        }
        self.sent.fmt(f)
    }
}
