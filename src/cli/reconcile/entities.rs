//! `headwater reconcile entities`: reconcile events by hand.

use std::fmt;

use serde::Serialize;

use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::input::WikiArgs;
use crate::cli::reconcile::sending::{SendArgs, Sent};
use crate::cli::reconcile::wiki::ApiArgs;
use crate::env::Env;
use crate::event::ReconcileAction;
use crate::reconcile::repair::{BATCH, Repair, Wiki};
use crate::wikibase::entity::EntityId;
use crate::wikibase::uris::UrisScheme;

/// Send reconcile events for some entities
///
/// Asks the wiki at which revision each is, and has the updater bring it there. One that the wiki does not have is deleted, whatever
/// the updater knows of it. As upstream's `reconcile_items.py`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater reconcile entities Q42 P31 L7 --brokers kafka1:9092 --to kafka:eqiad.rdf-streaming-updater.reconcile \\
    --source wdqs_sideoutputs_reconcile@eqiad
  headwater reconcile entities M26 --uris-scheme commons --dry-run")]
pub struct Args {
    /// The entities, such as Q42
    #[arg(required = true, value_name = "ENTITY", value_parser = entity)]
    entities: Vec<EntityId>,
    #[command(flatten)]
    wiki: WikiArgs,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    send: SendArgs,
}

#[derive(Serialize)]
struct Report {
    entities: usize,
    #[serde(flatten)]
    sent: Sent,
}

/// An entity as it is typed.
pub fn entity(text: &str) -> Result<EntityId, String> {
    EntityId::parse(text.trim().as_bytes()).map_err(|error| error.to_string())
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    args.send.check(output.json)?;
    args.send.check_tag()?;
    args.send.check_files(None, &[])?;
    let scheme = args.wiki.wiki()?.scheme;
    let entities = each_once(args.entities.clone(), &scheme)?;
    let repairs = by_hand(&entities, &mut args.api.api(&scheme, env)?)?;
    let sent = args.send.send(&repairs, &scheme, &args.api, env, output)?;
    output.report(&Report { entities: entities.len(), sent })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sent.fmt(f)
    }
}

/// The entities in their order, each once. Error: the wiki cannot have one of them, so whatever its page is, it is another's.
pub fn each_once(mut entities: Vec<EntityId>, scheme: &UrisScheme) -> Result<Vec<EntityId>, CliError> {
    entities.sort_unstable();
    entities.dedup();
    match entities.iter().find(|entity| !scheme.may_have(entity.kind())) {
        Some(entity) => {
            let message = format!("{entity} is no entity of {}", scheme.host());
            Err(CliError::usage(message).hint("is --uris-scheme or --hostname right?"))
        }
        None => Ok(entities),
    }
}

/// What brings entities to what the wiki says now.
fn by_hand(entities: &[EntityId], wiki: &mut dyn Wiki) -> Result<Vec<Repair>, CliError> {
    let mut repairs = Vec::new();
    for batch in entities.chunks(BATCH) {
        for (entity, latest) in batch.iter().zip(wiki.latest(batch)?) {
            let revision = latest.map(|latest| latest.revision);
            let action = match revision {
                Some(_) => ReconcileAction::ReconcileCreation,
                None => ReconcileAction::ReconcileDeletion,
            };
            repairs.push(Repair { entity: *entity, revision, action, reason: "by_hand", cause: None, source: None });
        }
    }
    Ok(repairs)
}
