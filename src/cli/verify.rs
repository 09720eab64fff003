//! `headwater verify`: a store against the wiki.

use std::fmt;

use serde::Serialize;

use crate::bootstrap::report::{counted, grouped};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::{Existing, WikiArgs};
use crate::cli::progress::Watcher;
use crate::cli::reconcile::entities::{each_once, entity};
use crate::cli::reconcile::sending::{SendArgs, Sent};
use crate::cli::reconcile::wiki::ApiArgs;
use crate::entity_data::{self, Fetcher};
use crate::env::Env;
use crate::event::ReconcileAction;
use crate::offsets::span::Span;
use crate::reconcile::repair::Repair;
use crate::savepoint;
use crate::sparql::{self, Store};
use crate::storage::appended::Appended;
use crate::storage::{self, Location};
use crate::verify::sample::sample;
use crate::verify::{Checked, Orphans, Verdict, Verifier};
use crate::wikibase::entity::EntityId;
use crate::wikibase::uris::UrisScheme;

/// How much of what is no entity is told, in characters.
const LONGEST_TOLD: usize = 40;
/// What a column of entities may be called, in small letters.
const COLUMNS: [&str; 6] = ["entity", "entity_id", "item", "item_id", "id", "qid"];
/// Divergent entities that the report names, and triples of each.
const SHOWN: (usize, usize) = (10, 3);

/// Compare what a triple store holds with what the wiki says
///
/// Each entity is compared with its munged document of the same revision, triple by triple: statements, sitelinks, forms and senses,
/// references and values. A store that is merely behind is not divergent. Nothing is changed; --repair has the updater bring the
/// entities that are wrong to what the wiki says. Ends with 1 if some are wrong and no repair was sent for them, or if some could not
/// be compared.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater verify Q42 L7 --sparql http://localhost:7878/query
  headwater verify --sample 1000 --state /srv/checkpoints/chk-812-5b1f --sparql http://localhost:9999/bigdata/namespace/wdq/sparql
  headwater verify --entities findings.csv --sparql http://localhost:7001 --findings divergent.ndjson --repair \\
    --brokers kafka1:9092 --to kafka:eqiad.rdf-streaming-updater.reconcile --source wdqs_sideoutputs_reconcile@eqiad")]
pub struct Args {
    /// The entities, such as Q42
    #[arg(value_name = "ENTITY", value_parser = entity)]
    ids: Vec<EntityId>,
    /// A file of entities, one a line; what follows a comma is passed over, and a first line that names columns
    #[arg(long, value_name = "FILE")]
    entities: Option<String>,
    /// So many entities by chance, of those that --state knows
    #[arg(long, value_name = "N", requires = "state")]
    sample: Option<u64>,
    /// The state: a savepoint or checkpoint, of headwater's format or Flink's
    #[arg(long, value_name = "DIR", env = "HEADWATER_STATE")]
    state: Option<String>,
    /// The number that chance begins with; the same gives the same sample [default: by the time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The store's endpoint of queries
    #[arg(long, value_name = "URL", env = "HEADWATER_SPARQL")]
    sparql: String,
    /// How long the store may be silent while it answers
    #[arg(long, value_name = "TIME", default_value = "60s", env = "HEADWATER_SPARQL_TIMEOUT", value_parser = Span::parse)]
    sparql_timeout: Span,
    /// What is younger may not have reached the store yet: an entity that the store has not and that was edited since then, or that it
    /// has and that was deleted since then, is not judged
    #[arg(long, value_name = "TIME", default_value = "15m", env = "HEADWATER_GRACE", value_parser = Span::parse)]
    grace: Span,
    /// Count references and values that nobody links to, too: this reads the whole store
    #[arg(long)]
    orphans: bool,
    /// Write what is wrong to this file: a line of JSON for each entity, with all its triples that are missing or too many
    #[arg(long, value_name = "FILE")]
    findings: Option<String>,
    #[command(flatten)]
    existing: Existing,
    /// Send reconcile events for the entities that are wrong
    #[arg(long)]
    repair: bool,
    /// The wiki's entity data [default: that of the wiki, https://HOST/wiki/Special:EntityData/]
    #[arg(long, value_name = "URL", env = "HEADWATER_ENTITY_DATA")]
    entity_data: Option<String>,
    #[command(flatten)]
    wiki: WikiArgs,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    send: SendArgs,
}

/// What was found, for people and as JSON.
#[derive(Debug, Default, Serialize)]
struct Report {
    entities: u64,
    seed: Option<u64>,
    equal: u64,
    /// Of those that are equal: how many have a newer revision in the wiki.
    behind: u64,
    divergent: u64,
    missing: u64,
    left: u64,
    absent: u64,
    young: u64,
    moving: u64,
    unknown: u64,
    triples_missing: u64,
    triples_surplus: u64,
    orphans: Option<Orphans>,
    findings: Option<String>,
    #[serde(flatten)]
    sent: Option<Sent>,
    /// Those that are wrong, or of which nothing is known, the first of them.
    first: Vec<Finding>,
}

/// An entity that is wrong, or of which nothing is known.
#[derive(Debug, Serialize)]
struct Finding {
    entity: String,
    /// At which revision the store has it.
    held: Option<u64>,
    /// At which the wiki has it.
    latest: Option<u64>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    surplus: Vec<String>,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    match args.repair {
        true => {
            args.send.check(output.json)?;
            args.send.check_tag()?;
        }
        false if args.send.has_place() => output.note(format_args!("nothing is sent: that takes --repair\n")),
        false => {}
    }
    let findings = args.findings_file()?;
    let scheme = args.wiki.wiki()?.scheme;
    let (entities, seed) = args.chosen(&scheme, env)?;
    let mut found = Found {
        report: Report { seed, findings: args.findings.clone(), ..Report::default() },
        repairs: Vec::new(),
        file: findings.as_ref().map(|file| Appended::open(file, 0)).transpose()?,
    };
    let (store, fetcher, mut api) = (args.store(env)?, args.fetcher(&scheme, env)?, args.api.api(&scheme, env)?);
    let watcher = Watcher::start(&env.progress, output.quiet);
    let mut verifier = Verifier {
        store: &store,
        fetcher: &fetcher,
        wiki: &mut api,
        scheme: &scheme,
        young_since: (env.now)().before(args.grace.duration()),
        env,
    };
    let checked = verifier.check::<CliError>(&entities, |checked| found.take(&checked));
    let orphans = checked.and_then(|()| Ok(args.orphans.then(|| verifier.orphans()).transpose()?));
    drop(watcher);
    let Found { mut report, repairs, .. } = found;
    if orphans.is_err() && report.entities > 0 {
        output.note(format_args!("before the error:\n{report}"));
    }
    report.orphans = orphans?;
    if args.repair {
        report.sent = Some(args.send.send(&repairs, &scheme, &args.api, env, output)?);
    }
    output.report(&report)?;
    report.verdict()
}

/// What was found so far.
struct Found {
    report: Report,
    repairs: Vec<Repair>,
    /// Where it is written.
    file: Option<Appended>,
}

impl Found {
    /// Takes what was found of an entity, and writes it at once: who breaks off keeps what is known by then.
    fn take(&mut self, checked: &Checked) -> Result<(), CliError> {
        let Some(finding) = self.report.count(checked) else { return Ok(()) };
        self.repairs.extend(repair(checked));
        if let Some(file) = &mut self.file {
            let json = serde_json::to_vec(&finding).map_err(|error| CliError::bug(&error))?;
            file.append(&[&*json, b"\n"].concat())?;
            file.flush()?;
        }
        if self.report.first.len() < SHOWN.0 {
            self.report.first.push(finding.shortened());
        }
        Ok(())
    }
}

/// What brings an entity to what the wiki says, where it is wrong.
fn repair(checked: &Checked) -> Option<Repair> {
    let (action, reason) = match checked.verdict {
        Verdict::Divergent(_) => (ReconcileAction::ReconcileCreation, "divergent"),
        Verdict::Missing => (ReconcileAction::ReconcileCreation, "missing_in_store"),
        Verdict::Left => (ReconcileAction::ReconcileDeletion, "left_in_store"),
        _ => return None,
    };
    let revision = checked.latest.as_ref().map(|latest| latest.revision);
    Some(Repair { entity: checked.entity, revision, action, reason, cause: None, source: None })
}

impl Args {
    /// The entities to look at, each once, and the seed of the sample.
    fn chosen(&self, scheme: &UrisScheme, env: &Env) -> Result<(Vec<EntityId>, Option<u64>), CliError> {
        let (mut chosen, mut seed) = (self.ids.clone(), None);
        if let Some(file) = &self.entities {
            chosen.extend(listed(&Location::parse(file)?)?);
        }
        if let (Some(count), Some(state)) = (self.sample, &self.state) {
            let begun = self.seed.unwrap_or_else(|| (env.now)().millis().unsigned_abs());
            let dir = Location::parse(state)?;
            chosen.extend(sample(&savepoint::read(&dir)?.whole(&dir)?.state, count, begun));
            seed = Some(begun);
        }
        if chosen.is_empty() {
            return Err(CliError::usage("no entities: name some, or give --entities FILE, or --sample N --state DIR"));
        }
        Ok((each_once(chosen, scheme)?, seed))
    }

    /// The file of the findings. Error: something that is to be written would destroy something.
    fn findings_file(&self) -> Result<Option<Location>, CliError> {
        let read = self.entities.iter().chain(&self.state).map(|text| Location::parse(text));
        let read = read.collect::<Result<Vec<_>, _>>()?;
        self.send.check_files(self.findings.as_deref(), &read)?;
        self.existing.target(self.findings.as_deref(), || Ok(read))
    }

    fn fetcher(&self, scheme: &UrisScheme, env: &Env) -> Result<Fetcher, CliError> {
        let defaults = entity_data::Settings::new(scheme);
        let settings = entity_data::Settings {
            entity_data: self.entity_data.clone().unwrap_or_else(|| defaults.entity_data.clone()),
            routes: self.api.routes()?,
            user_agent: self.api.user_agent().to_owned(),
            ..defaults
        };
        Ok(Fetcher::new(settings, env)?)
    }

    fn store(&self, env: &Env) -> Result<Store, CliError> {
        Ok(Store::new(
            sparql::Settings {
                routes: self.api.routes()?,
                user_agent: self.api.user_agent().to_owned(),
                timeout: self.sparql_timeout.duration(),
                ..sparql::Settings::new(&self.sparql)
            },
            env,
        )?)
    }
}

/// The entities of a file.
fn listed(file: &Location) -> Result<Vec<EntityId>, CliError> {
    let text = storage::read(file)?;
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    let mut entities = Vec::new();
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let id = unquoted(line.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii());
        match EntityId::parse(id) {
            Ok(entity) => entities.push(entity),
            Err(_) if line.trim_ascii().is_empty() => {}
            // The first line may name columns.
            Err(_) if at == 0 && COLUMNS.iter().any(|name| id.eq_ignore_ascii_case(name.as_bytes())) => {}
            Err(error) => {
                let id: String = String::from_utf8_lossy(id).chars().take(LONGEST_TOLD).collect();
                let message = format!("{file}, line {}: {error}: `{id}`", at + 1);
                return Err(CliError::new(Kind::Data, message).hint("a line has one entity, such as Q42"));
            }
        }
    }
    Ok(entities)
}

/// A value without the quotes around it, if it has some.
fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    inner.map_or(value, <[u8]>::trim_ascii)
}

impl Report {
    /// Counts an entity; what there is to tell of it, if it is not as it should be.
    fn count(&mut self, checked: &Checked) -> Option<Finding> {
        self.entities += 1;
        let latest = checked.latest.as_ref().map(|latest| latest.revision);
        let (count, verdict) = match &checked.verdict {
            Verdict::Equal => {
                self.behind += u64::from(checked.held < latest);
                (&mut self.equal, None)
            }
            Verdict::Absent => (&mut self.absent, None),
            Verdict::Young => (&mut self.young, None),
            Verdict::Moving => (&mut self.moving, None),
            Verdict::Divergent(_) => (&mut self.divergent, Some("divergent")),
            Verdict::Missing => (&mut self.missing, Some("missing")),
            Verdict::Left => (&mut self.left, Some("left")),
            Verdict::Unknown(_) => (&mut self.unknown, Some("unknown")),
        };
        *count += 1;
        let mut finding = Finding {
            entity: checked.entity.to_string(),
            held: checked.held.map(|revision| revision.get()),
            latest: latest.map(|revision| revision.get()),
            verdict: verdict?,
            reason: None,
            missing: Vec::new(),
            surplus: Vec::new(),
        };
        match &checked.verdict {
            Verdict::Divergent(divergence) => {
                self.triples_missing += divergence.missing.len() as u64;
                self.triples_surplus += divergence.surplus.len() as u64;
                (finding.missing, finding.surplus) = (divergence.missing.clone(), divergence.surplus.clone());
            }
            Verdict::Unknown(reason) => finding.reason = Some(reason.clone()),
            _ => {}
        }
        Some(finding)
    }

    fn wrong(&self) -> u64 {
        self.divergent + self.missing + self.left
    }

    /// An error if something is wrong for which no repair was sent now, or if something could not be compared.
    fn verdict(&self) -> Result<(), CliError> {
        if self.unknown == self.entities {
            let message =
                "nothing could be compared: the wiki gives no document, or the store no answer that can be read";
            return Err(CliError::new(Kind::Data, message).hint("are --entity-data, --route and --sparql right?"));
        }
        let sent = self.sent.as_ref().map_or(0, |sent| sent.shipped.sent);
        let all = entities(self.entities);
        if sent >= self.wrong() {
            return match self.unknown {
                0 => Ok(()),
                unknown => {
                    let message = format!("{} of {all} could not be compared", grouped(unknown));
                    Err(CliError::new(Kind::Data, message)
                        .hint("the report has the reasons; look at these again later"))
                }
            };
        }
        let mut message = format!("{} of {all} are wrong in the store", grouped(self.wrong()));
        if self.unknown > 0 {
            message.push_str(&format!(", and {} could not be compared", grouped(self.unknown)));
        }
        let hint = match (&self.sent, &self.findings) {
            (Some(_), _) => "not for all of them a repair was sent: those that were sent before are sent with --again",
            (None, Some(_)) => "--repair has the updater send them again",
            (None, None) => {
                "--findings writes all that is missing or too many to a file; --repair has the updater send them again"
            }
        };
        Err(CliError::new(Kind::Data, message).hint(hint))
    }
}

/// `1 entity`, `2,000 entities`
fn entities(count: u64) -> String {
    if count == 1 { "1 entity".to_owned() } else { format!("{} entities", grouped(count)) }
}

impl Finding {
    /// With a few triples only.
    fn shortened(mut self) -> Self {
        self.missing.truncate(SHOWN.1);
        self.surplus.truncate(SHOWN.1);
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sample = self.seed.map_or_else(String::new, |seed| format!(", by chance, --seed {seed}"));
        writeln!(f, "looked at    {}{sample}", entities(self.entities))?;
        let behind = match self.behind {
            0 => String::new(),
            behind => format!("; {} of them behind the wiki", grouped(behind)),
        };
        let rows = [
            (self.equal, format!("as the wiki says{behind}")),
            (
                self.divergent,
                format!(
                    "divergent: {} missing, {} too many",
                    counted(self.triples_missing, "triple"),
                    grouped(self.triples_surplus)
                ),
            ),
            (self.missing, "missing in the store".to_owned()),
            (self.left, "left in the store, gone from the wiki".to_owned()),
            (self.absent, "in neither".to_owned()),
            (self.young, "made or deleted too lately to tell (--grace)".to_owned()),
            (self.moving, "edited each time they were looked at".to_owned()),
            (self.unknown, "that could not be compared".to_owned()),
        ];
        for (count, what) in rows.iter().filter(|(count, _)| *count > 0) {
            writeln!(f, "{:>12} {what}", grouped(*count))?;
        }
        for finding in &self.first {
            writeln!(f, "{finding}")?;
        }
        if let Some(Orphans { references, values }) = self.orphans {
            let (references, values) = (counted(references, "reference"), counted(values, "value"));
            writeln!(f, "orphans      {references} and {values} that nothing links to")?;
        }
        if let Some(file) = &self.findings {
            writeln!(f, "written      {file}")?;
        }
        self.sent.as_ref().map_or(Ok(()), |sent| sent.fmt(f))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = |revision: Option<u64>| revision.map_or_else(|| "none".to_owned(), |number| number.to_string());
        let (held, latest) = (revision(self.held), revision(self.latest));
        write!(f, "{:<12} {}: revision {held} in the store, {latest} in the wiki", self.verdict, self.entity)?;
        self.reason.iter().try_for_each(|reason| write!(f, "\n             {reason}"))?;
        self.missing.iter().try_for_each(|line| write!(f, "\n           - {line}"))?;
        self.surplus.iter().try_for_each(|line| write!(f, "\n           + {line}"))
    }
}
