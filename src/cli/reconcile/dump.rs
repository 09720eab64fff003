//! `headwater reconcile dump`: the running state against a newer dump.

use std::fmt;
use std::io::Write;

use serde::Serialize;

use crate::bootstrap::report::{Skips, grouped};
use crate::bootstrap::{From, Wiki};
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::{Dumps, Existing};
use crate::cli::progress::Watcher;
use crate::cli::reconcile::sending::{SendArgs, Sent};
use crate::cli::reconcile::wiki::ApiArgs;
use crate::cli::revision_map::MapInput;
use crate::env::Env;
use crate::offsets::span::Span;
use crate::reconcile::compare::{Class, Counts, Evidence, Finding, compare};
use crate::reconcile::dump::{self, End, Known};
use crate::reconcile::repair::{Confirmed, Repair, confirm, of_certain};
use crate::state::EntityState;
use crate::storage::{self, Location, StorageError, Writer};
use crate::wikibase::timestamp::Timestamp;

/// Text that is written at once, in bytes.
const BATCH: usize = 1 << 18;

/// Compare the running state with a newer dump, and send what the stream missed
///
/// The state is a checkpoint or savepoint of the updater, best one taken after the dump was made: what is younger than the state is
/// left to the stream. What is certainly wrong in it is sent. Some differences may also come of a deletion or a restoration while the
/// dump was made: those are sent only if the wiki confirms them (--confirm-with-api).
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater job save --to /srv/state/now
  headwater reconcile dump --state /srv/state/now --dump wikidata-20260112-all-BETA.ttl.bz2 \\
    --dump wikidata-20260116-lexemes-BETA.ttl.bz2 --confirm-with-api --dry-run --findings findings.csv
  headwater reconcile dump --state /srv/savepoints/savepoint-5f71a5-0c2d4e --state-time 2026-01-15T08:00:00Z \\
    --revision-map revisions.csv.bz2 --dump-end 2026-01-14T16:00:00Z --confirm-with-api --audit sent.ndjson \\
    --to https://eventgate.example.org/v1/events --source wdqs_reconcile@eqiad")]
pub struct Args {
    /// The state: a savepoint or checkpoint, of headwater's format or Flink's
    #[arg(long, value_name = "DIR", env = "HEADWATER_STATE")]
    state: String,
    /// Up to when the state has all events, with Z or an offset [default: as it says; Flink's do not]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    state_time: Option<Timestamp>,
    #[command(flatten)]
    dumps: Dumps,
    /// Instead of dumps: the revision map that was made of them (a file, a pattern, or a directory of part files)
    #[arg(long, value_name = "FILE", conflicts_with = "dumps", requires = "dump_end")]
    revision_map: Option<String>,
    #[command(flatten)]
    map_input: MapInput,
    /// When the dump was complete, with Z or an offset [default: --longest-document after its newest header]
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    dump_end: Option<Timestamp>,
    /// How long the wiki took for a document of the dump, at most. Wikimedia's take well under an hour
    #[arg(long, value_name = "TIME", default_value = "2h", env = "HEADWATER_LONGEST_DOCUMENT", value_parser = Span::parse)]
    longest_document: Span,
    /// Ask the wiki about what only it can tell, and send what it confirms
    #[arg(long)]
    confirm_with_api: bool,
    /// Ask and send nothing if there is more that only the wiki can tell
    #[arg(long, value_name = "N", default_value_t = 100_000, env = "HEADWATER_MAX_DOUBTFUL")]
    max_doubtful: usize,
    /// Write every difference to this file: lines of entity,class,status,revision,dump revision
    #[arg(long, value_name = "FILE")]
    findings: Option<String>,
    #[command(flatten)]
    existing: Existing,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    send: SendArgs,
}

#[derive(Serialize)]
struct Report {
    state: String,
    state_time: String,
    dump_end: Option<String>,
    entities_known: u64,
    entities_dumped: u64,
    counts: Counts,
    /// Kinds of which the dump has none.
    not_compared: Vec<&'static str>,
    #[serde(flatten)]
    skips: Skips,
    confirmed: Option<Confirmed>,
    findings: Option<String>,
    #[serde(flatten)]
    sent: Sent,
}

/// Runs the command.
pub fn run(args: &Args, env: &Env, output: &Output) -> Result<(), CliError> {
    args.send.check(output.json)?;
    args.send.check_tag()?;
    let findings = args.findings_file()?;
    let dir = Location::parse(&args.state)?;
    let wiki = args.dumps.wiki.wiki()?;
    let watcher = Watcher::start(&env.progress, output.quiet);
    let known = dump::known(&dir)?;
    let until = args.until(&known, &dir)?;
    if let Some(concept) = known.concept.as_deref().filter(|concept| *concept != wiki.scheme.concept()) {
        let message = format!("{dir} is of the wiki with entities in {concept}, not {}", wiki.scheme.concept());
        return Err(CliError::usage(message));
    }
    let (evidence, skips, end) = args.evidence(&wiki, until, env)?;
    drop(watcher);
    let not_compared: Vec<_> = evidence.lacks(&known.state).into_iter().map(|kind| kind.plural()).collect();
    let mut taken = Taken {
        certain: Vec::new(),
        asked: Vec::new(),
        asks: args.confirm_with_api,
        doubtful: 0,
        file: findings.as_ref().map(Writer::create).transpose()?,
        text: b"entity,class,status,revision,dump_revision\n".to_vec(),
        failed: Ok(()),
    };
    let counts = compare(&known.state, &evidence, &known.behind, |finding| taken.take(&finding));
    let Taken { certain: mut repairs, asked, doubtful, .. } = taken.finish()?;
    args.refuse_many(doubtful)?;
    let confirmed = args.confirm(&asked, until, &wiki, &mut repairs, env)?;
    let entities_dumped = evidence.settled.len() + evidence.unsettled.len();
    repairs.sort_by_key(|repair| repair.entity);
    let sent = args.send.send(&repairs, &wiki.scheme, &args.api, env, output)?;
    output.report(&Report {
        state: dir.to_string(),
        state_time: until.to_string(),
        dump_end: end.map(|end| end.to_string()),
        entities_known: known.state.len(),
        entities_dumped,
        counts,
        not_compared,
        skips,
        confirmed,
        findings: args.findings.clone(),
        sent,
    })
}

/// What is done with findings.
struct Taken {
    certain: Vec<Repair>,
    /// What the wiki is to be asked of, if it is.
    asked: Vec<Finding>,
    asks: bool,
    doubtful: usize,
    file: Option<Writer>,
    text: Vec<u8>,
    failed: Result<(), StorageError>,
}

impl Taken {
    fn take(&mut self, finding: &Finding) {
        self.doubtful += usize::from(finding.class.is_doubtful());
        if self.asks && !finding.class.is_expected() {
            self.asked.push(*finding);
        } else {
            self.certain.extend(of_certain(finding));
        }
        let Some(file) = self.file.as_mut().filter(|_| self.failed.is_ok()) else { return };
        let (status, revision) = match finding.known {
            None => ("absent", String::new()),
            Some(EntityState::Created(revision)) => ("created", revision.to_string()),
            Some(EntityState::Deleted(revision)) => ("deleted", revision.to_string()),
        };
        let dumped = finding.dumped.map_or_else(String::new, |revision| revision.to_string());
        // Memory takes whatever is written.
        let _ = writeln!(self.text, "{},{},{status},{revision},{dumped}", finding.entity, finding.class.name());
        if self.text.len() >= BATCH {
            self.failed = file.append(&self.text);
            self.text.clear();
        }
    }

    fn finish(mut self) -> Result<Self, CliError> {
        std::mem::replace(&mut self.failed, Ok(()))?;
        if let Some(mut file) = self.file.take() {
            file.append(&self.text)?;
            file.finish()?;
        }
        Ok(self)
    }
}

impl Args {
    /// The file of the findings. Error: something that is to be written would destroy something.
    fn findings_file(&self) -> Result<Option<Location>, CliError> {
        let mut read = vec![Location::parse(&self.state)?];
        match &self.revision_map {
            Some(map) => read.extend(storage::expand(map)?),
            None => read.extend(self.dumps.locations()?),
        }
        self.send.check_files(self.findings.as_deref(), &read)?;
        self.existing.target(self.findings.as_deref(), || Ok(read))
    }

    fn until(&self, known: &Known, dir: &Location) -> Result<Timestamp, CliError> {
        self.state_time.or(known.until).ok_or_else(|| {
            CliError::usage(format!("{dir} does not say up to when it has all events")).hint(
                "give the time with --state-time: no later than it was taken, less how far the job was behind then",
            )
        })
    }

    /// What the dump proves, what was left out of it, and when it was complete.
    fn evidence(
        &self,
        wiki: &Wiki,
        until: Timestamp,
        env: &Env,
    ) -> Result<(Evidence, Skips, Option<Timestamp>), CliError> {
        let policy = self.dumps.bad.policy();
        let Some(map) = &self.revision_map else {
            let files = self.dumps.locations()?;
            let longest = self.longest_document.duration();
            let end = self.dump_end.map_or(End::After(longest), End::At);
            let (evidence, gathered) = dump::of_dumps(&files, (wiki, self.dumps.strict), policy, (end, until), env)?;
            let newest = gathered.headers().newest();
            let longest = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
            let complete = newest.and_then(|newest| Timestamp::from_millis(newest.millis().saturating_add(longest)));
            return Ok((evidence, Skips::of(&gathered), self.dump_end.or(complete)));
        };
        let end = self.dump_end.ok_or_else(|| CliError::usage("--revision-map needs --dump-end"))?;
        let From::RevisionMap { files, negative } = self.map_input.from(map)? else {
            return Err(CliError::usage(format!("{map} is no revision map")));
        };
        let (evidence, gathered) = dump::of_map((&files, negative), policy, (end, until), env)?;
        Ok((evidence, Skips::of(&gathered), Some(end)))
    }

    fn refuse_many(&self, doubtful: usize) -> Result<(), CliError> {
        if doubtful <= self.max_doubtful {
            return Ok(());
        }
        let (count, most) = (grouped(doubtful as u64), grouped(self.max_doubtful as u64));
        let message =
            format!("{count} entities may have been deleted or restored unnoticed, and --max-doubtful allows {most}");
        Err(CliError::new(Kind::Data, message)
            .hint("is a part of the dump missing, or the state another wiki's? --findings writes them to a file"))
    }

    fn confirm(
        &self,
        asked: &[Finding],
        until: Timestamp,
        wiki: &Wiki,
        repairs: &mut Vec<Repair>,
        env: &Env,
    ) -> Result<Option<Confirmed>, CliError> {
        if !self.confirm_with_api {
            return Ok(None);
        }
        let mut api = self.api.api(&wiki.scheme, env)?;
        Ok(Some(confirm(asked, until, &mut api, |repair| repairs.push(repair))?))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "state        {}: {} entities, all events up to {}",
            self.state,
            grouped(self.entities_known),
            self.state_time
        )?;
        let end = self.dump_end.as_ref().map_or_else(String::new, |end| format!(", complete by {end}"));
        writeln!(f, "dump         {} entities{end}", grouped(self.entities_dumped))?;
        if !self.not_compared.is_empty() {
            writeln!(
                f,
                "not compared {}: the dump has none; give theirs as another --dump",
                self.not_compared.join(", ")
            )?;
        }
        let of = |is_meant: fn(Class) -> bool| {
            let meant = Class::ALL.into_iter().filter(move |class| is_meant(*class));
            meant.filter_map(|class| Some((class, *self.counts.get(&class)?)))
        };
        for (head, is_meant) in [
            ("wrong", Class::is_certain as fn(Class) -> bool),
            ("doubtful", Class::is_doubtful),
            ("expected", Class::is_expected),
        ] {
            let mut head = head;
            for (class, count) in of(is_meant) {
                writeln!(f, "{head:<12} {:>11}  {}", grouped(count), class.meaning())?;
                head = "";
            }
        }
        if self.counts.is_empty() {
            writeln!(f, "the same     the state misses nothing that the dump has")?;
        }
        let doubtful: u64 = of(Class::is_doubtful).map(|(_, count)| count).sum();
        match self.confirmed {
            Some(Confirmed { wrong, right, since, odd }) => {
                writeln!(
                    f,
                    "the wiki     says of those that it was asked of: {} are wrong, {} right, {} changed after the state{}",
                    grouped(wrong),
                    grouped(right),
                    grouped(since),
                    if odd > 0 { format!(", {} are odd", grouped(odd)) } else { String::new() }
                )?;
            }
            None if doubtful > 0 => {
                writeln!(f, "the wiki     was not asked: --confirm-with-api tells which of the doubtful are wrong")?
            }
            None => {}
        }
        self.skips.fmt(f)?;
        if let Some(file) = &self.findings {
            writeln!(f, "written      {file}")?;
        }
        self.sent.fmt(f)
    }
}
