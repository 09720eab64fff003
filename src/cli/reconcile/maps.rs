//! `headwater reconcile maps`: what happened between two revision maps.

use std::fmt;
use std::io::Write;

use serde::Serialize;

use crate::bootstrap::report::{Skips, grouped};
use crate::bootstrap::{BootstrapError, From, gather, guard};
use crate::cli::Output;
use crate::cli::error::CliError;
use crate::cli::input::{BadEntity, Existing, WikiArgs};
use crate::cli::progress::Watcher;
use crate::cli::revision_map::MapInput;
use crate::dump::scan::Manner;
use crate::env::Env;
use crate::savepoint::diff::{Difference, rows};
use crate::state::{EntityState, StateTable};
use crate::storage::{self, Writer};
use crate::wikibase::entity::EntityKind;

/// Rows written at once.
const BATCH: usize = 8192;

/// Tell what was created, deleted and changed between two revision maps, or dumps
///
/// Dumps do not tell of deletions: what the older one has and the newer one lacks was deleted, or is a redirect no longer dumped. Each
/// of the two is a revision map (a file, a pattern, a directory of part files) or a dump, which is told by its name: .ttl or .nt, and what
/// it is compressed with.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater reconcile maps revisions-20260105.csv.bz2 revisions-20260112.csv.bz2
  headwater reconcile maps old.parquet wikidata-20260112-all-BETA.ttl.bz2 --only deleted --output deleted.csv")]
pub struct Args {
    /// The older one
    old: String,
    /// The newer one
    new: String,
    /// Write the entities to this file: lines of entity,change,old revision,new revision
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    /// Write only these
    #[arg(long, value_name = "CHANGE", value_delimiter = ',', value_parser = ["created", "deleted", "changed", "older"])]
    only: Vec<String>,
    #[command(flatten)]
    wiki: WikiArgs,
    #[command(flatten)]
    map_input: MapInput,
    #[command(flatten)]
    bad: BadEntity,
    #[command(flatten)]
    existing: Existing,
}

#[derive(Serialize)]
struct Report {
    old: String,
    new: String,
    entities_old: u64,
    entities_new: u64,
    created: u64,
    deleted: u64,
    changed: u64,
    /// The newer one has an older revision.
    older: u64,
    unchanged: u64,
    /// Kinds of which the newer one has none, so that none of them is called deleted.
    not_compared: Vec<&'static str>,
    #[serde(flatten)]
    skips: Skips,
    written_to: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    let read = || Ok([storage::expand(&args.old)?, storage::expand(&args.new)?].concat());
    let target = args.existing.target(args.output.as_deref(), read)?;
    let watcher = Watcher::start(&env.progress, output.quiet);
    let mut skips = Skips::default();
    let (old, new) = (args.table(&args.old, &mut skips, env)?, args.table(&args.new, &mut skips, env)?);
    drop(watcher);
    let is_lacking = |kind: &EntityKind| new.count(*kind).created == 0 && old.count(*kind).created > 0;
    let lacking: Vec<_> = EntityKind::ALL.into_iter().filter(is_lacking).collect();
    let mut writer = target.as_ref().map(Writer::create).transpose()?;
    let mut text = b"entity,change,old_revision,new_revision\n".to_vec();
    let mut counts = [0; 4];
    for row in rows(&old, &new) {
        let change = change(row.difference, row.a, row.b);
        let Some(change) = change.filter(|_| !lacking.contains(&row.entity.kind())) else { continue };
        counts[change as usize] += 1;
        let Some(writer) = writer.as_mut().filter(|_| args.is_wanted(change)) else { continue };
        let revision = |state: Option<EntityState>| {
            state.filter(|state| !state.is_deleted()).map_or_else(String::new, |state| state.revision().to_string())
        };
        writeln!(text, "{},{},{},{}", row.entity, change.name(), revision(row.a), revision(row.b))
            .map_err(CliError::stdout)?;
        if text.len() >= BATCH * 32 {
            writer.append(&text)?;
            text.clear();
        }
    }
    if let Some(mut writer) = writer {
        writer.append(&text)?;
        writer.finish()?;
    }
    let [created, deleted, changed, older] = counts;
    let there = |table: &StateTable| EntityKind::ALL.into_iter().map(|kind| table.count(kind).created).sum::<u64>();
    let (entities_old, entities_new) = (there(&old), there(&new));
    let not_compared: u64 = lacking.iter().map(|kind| old.count(*kind).created).sum();
    let report = Report {
        old: args.old.clone(),
        new: args.new.clone(),
        entities_old,
        entities_new,
        created,
        deleted,
        changed,
        older,
        unchanged: entities_old - deleted - changed - older - not_compared,
        not_compared: lacking.into_iter().map(EntityKind::plural).collect(),
        skips,
        written_to: target.map(|target| target.to_string()),
    };
    output.result(&report, &report)
}

/// What happened to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Created,
    Deleted,
    Changed,
    Older,
}

impl Change {
    const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::Changed => "changed",
            Self::Older => "older",
        }
    }
}

/// Maps may tell of deletions; what is deleted is not there.
fn change(difference: Difference, old: Option<EntityState>, new: Option<EntityState>) -> Option<Change> {
    let is_there = |state: Option<EntityState>| state.is_some_and(|state| !state.is_deleted());
    match (is_there(old), is_there(new)) {
        (false, false) => None,
        (false, true) => Some(Change::Created),
        (true, false) => Some(Change::Deleted),
        (true, true) if difference == Difference::NewerInA => Some(Change::Older),
        (true, true) => Some(Change::Changed),
    }
}

impl Args {
    fn is_wanted(&self, change: Change) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == change.name())
    }

    fn table(&self, text: &str, skips: &mut Skips, env: &Env) -> Result<StateTable, CliError> {
        let (policy, wiki) = (self.bad.policy(), self.wiki.wiki()?);
        let gathered = if is_dump(text) {
            gather::dumps(&storage::expand(text)?, Manner { scheme: &wiki.scheme, strict: false }, policy, env)?
        } else {
            match self.map_input.from(text)? {
                From::RevisionMap { files, negative } => gather::revision_map(&files, negative, policy, env)?,
                From::Dumps(_) | From::Triples(_) => return Err(CliError::usage("no revision map")),
            }
        };
        guard::refuse(&gathered, wiki.scheme.entity_data()).map_err(BootstrapError::from)?;
        skips.extend(Skips::of(&gathered));
        Ok(gathered.table)
    }
}

/// Whether a name is that of a dump.
fn is_dump(text: &str) -> bool {
    let bare = [".gz", ".bz2", ".zst"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
    [".ttl", ".nt"].iter().any(|end| bare.ends_with(end))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old        {}: {} entities", self.old, grouped(self.entities_old))?;
        writeln!(f, "new        {}: {} entities", self.new, grouped(self.entities_new))?;
        let rows = [
            ("created", self.created),
            ("deleted", self.deleted),
            ("changed", self.changed),
            ("unchanged", self.unchanged),
        ];
        for (what, count) in rows {
            writeln!(f, "{what:<10} {}", grouped(count))?;
        }
        if !self.not_compared.is_empty() {
            let kinds = self.not_compared.join(", ");
            writeln!(f, "not compared {kinds}: the newer one has none of these")?;
        }
        if self.older > 0 {
            writeln!(
                f,
                "older      {} have an older revision in the newer one: are the two in order?",
                grouped(self.older)
            )?;
        }
        self.skips.fmt(f)?;
        self.written_to.as_ref().map_or(Ok(()), |file| writeln!(f, "written    {file}"))
    }
}
