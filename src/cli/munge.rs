//! `headwater munge`: a few entities, munged before your eyes.

use std::io::Read;
use std::ops::ControlFlow;

use serde::Serialize;

use crate::bootstrap::BootstrapError;
use crate::cli::Output;
use crate::cli::error::{CliError, Kind};
use crate::cli::input::{MungeArgs, WikiArgs};
use crate::compression::source::Source;
use crate::dump::batches::{self, Batch, Cut, Event, Fill};
use crate::dump::scan::Manner;
use crate::import::worker::{readable, told};
use crate::munge::Verdict;
use crate::munge::text::{Bad, Entity, Explained, Munger, Sink};
use crate::rdf::reader::Arena;
use crate::rdf::term::Triple;
use crate::rdf::turtle::Turtle;
use crate::storage::{self, Location};

/// Show what becomes of the entities in a file, to see why a triple is there or not
///
/// Prints Turtle with the usual prefixes, one triple a line. The input may be a dump, compressed or not, or what
/// Special:EntityData gives.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  headwater munge Q42.ttl
  curl -s 'https://www.wikidata.org/wiki/Special:EntityData/Q42.ttl?flavor=dump' | headwater munge - --explain")]
pub struct Args {
    /// The file, or - for stdin
    file: String,
    /// Print every triple, with a mark (- dropped, > moved to the entity, ~ rewritten) and the rule
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    munge: MungeArgs,
    #[command(flatten)]
    wiki: WikiArgs,
}

/// Runs the command.
pub fn run(args: &Args, output: &Output) -> Result<(), CliError> {
    let wiki = args.wiki.wiki()?;
    let munger = Munger::new(&wiki.scheme, args.munge.options());
    let source = Source::open(&location(&args.file)?)?;
    let mut shown = Shown { explain: args.explain, ..Shown::default() };
    let mut failed = None;
    let manner = Manner { scheme: &wiki.scheme, strict: false };
    let read = batches::read(&source, manner, 1, Cut::Never, &mut Fill::default(), &mut |event| {
        let Event::Batch(batch) = event else { return ControlFlow::Continue(()) };
        failed = show(&munger, &batch, &mut shown, output).err();
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    read.map_err(BootstrapError::from)?;
    match failed {
        Some(error) => Err(error),
        None => shown.verdict(&args.file),
    }
}

fn location(file: &str) -> Result<Location, CliError> {
    if file != "-" {
        return Ok(Location::parse(file)?);
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| CliError::new(Kind::Unavailable, format!("could not read stdin: {error}")))?;
    let stdin = Location::memory().join("stdin");
    storage::put(&stdin, bytes.into())?;
    Ok(stdin)
}

fn show(munger: &Munger, batch: &Batch, shown: &mut Shown, output: &Output) -> Result<(), CliError> {
    let (text, is_utf8) = readable(&batch.text);
    shown.is_utf8 = is_utf8;
    munger.text(&text, &batch.prefixes, None, &Arena::default(), shown);
    let lines = std::mem::take(&mut shown.lines);
    lines.iter().try_for_each(|line| output.line(line))
}

/// A triple, as it is shown.
#[derive(Serialize)]
struct Line {
    #[serde(skip)]
    mark: Option<char>,
    entity: Option<String>,
    verdict: &'static str,
    triple: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<&'static str>,
}

#[derive(Default)]
struct Shown {
    explain: bool,
    turtle: Turtle,
    lines: Vec<Line>,
    is_utf8: bool,
    has_any: bool,
    bad: u64,
    first_bad: Option<String>,
}

impl Sink for Shown {
    fn header(&mut self, triple: &Triple<'_>) {
        self.line(None, triple, "keep", ' ', Vec::new());
    }

    fn entity(&mut self, entity: &Entity<'_, '_>) {
        self.has_any = true;
        let id = Some(entity.fit.id.to_string());
        if !self.explain {
            return entity.kept().for_each(|kept| self.line(id.clone(), &kept.triple, "keep", ' ', Vec::new()));
        }
        for Explained { triple, rewrites, verdict } in entity.explained() {
            let mut rules: Vec<_> = rewrites.texts().collect();
            let (name, mark) = match verdict {
                Verdict::Keep if rules.is_empty() => ("keep", ' '),
                Verdict::Keep => ("keep", '~'),
                Verdict::Move => {
                    rules.push("what the entity-data node says of the entity is moved to it");
                    ("move", '>')
                }
                Verdict::Drop(rule) => {
                    rules.push(rule.text());
                    ("drop", '-')
                }
            };
            self.line(id.clone(), &triple, name, mark, rules);
        }
    }

    fn bad(&mut self, bad: Bad) {
        self.bad += 1;
        let bad = told(bad, self.is_utf8);
        self.first_bad.get_or_insert_with(|| format!("{}: {}", bad.subject, bad.reason));
        let triple = format!("# {}: {}", bad.subject, bad.reason);
        self.lines.push(Line { mark: None, entity: Some(bad.subject), verdict: "bad", triple, rules: Vec::new() });
    }
}

impl Shown {
    /// An error if an entity could not be munged, or if there was none at all.
    fn verdict(&self, file: &str) -> Result<(), CliError> {
        let of = |message: String| Err(CliError::new(Kind::Data, format!("{file}: {message}")));
        match &self.first_bad {
            Some(first) if self.bad == 1 => of(format!("an entity could not be munged: {first}")),
            Some(first) => of(format!("{} entities could not be munged; the first: {first}", self.bad)),
            None if !self.has_any => of("it holds no entity".to_owned()),
            None => Ok(()),
        }
    }

    fn line(
        &mut self,
        entity: Option<String>,
        triple: &Triple<'_>,
        verdict: &'static str,
        mark: char,
        rules: Vec<&'static str>,
    ) {
        let mut text = Vec::new();
        self.turtle.triple(&mut text, triple);
        self.turtle.end(&mut text);
        let triple = String::from_utf8_lossy(&text).trim_end().to_owned();
        self.lines.push(Line { mark: self.explain.then_some(mark), entity, verdict, triple, rules });
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(mark) = self.mark {
            write!(f, "{mark} ")?;
        }
        f.write_str(&self.triple)?;
        if !self.rules.is_empty() {
            write!(f, "  # {}", self.rules.join("; "))?;
        }
        writeln!(f)
    }
}
