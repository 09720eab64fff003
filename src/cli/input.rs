//! Arguments that several commands share.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};

use crate::bootstrap::{From, OnBadEntity, Wiki};
use crate::cli::error::CliError;
use crate::control::{self, Listen};
use crate::munge::Options;
use crate::savepoint::{Format, OnExisting, Target, flink};
use crate::storage::{self, Location, StorageError};
use crate::web::Route;
use crate::wikibase::uris::UrisScheme;

/// Which dumps, and how to read them.
#[derive(Debug, Args)]
pub struct Dumps {
    /// A dump in Turtle or N-Triples, plain or compressed with gzip, bzip2 or zstd; give it once for each file
    #[arg(long = "dump", value_name = "FILE", env = "HEADWATER_DUMP", value_delimiter = ';')]
    pub dumps: Vec<String>,
    #[command(flatten)]
    pub wiki: WikiArgs,
    /// Read every statement, not only those that matter here, so that no broken one goes unseen (several times slower)
    #[arg(long, env = "HEADWATER_STRICT")]
    pub strict: bool,
    #[command(flatten)]
    pub bad: BadEntity,
}

/// A triples table in the place of dumps.
#[derive(Debug, Args)]
pub struct TriplesInput {
    /// Instead of dumps: the triples table that `import` or upstream's Spark import made of them (a directory of Parquet
    /// files, with or without directories such as date=20260105 below it)
    #[arg(long, value_name = "DIR", env = "HEADWATER_TRIPLES", conflicts_with = "dumps")]
    triples: Option<String>,
}

impl TriplesInput {
    /// Dumps, or the table in their place.
    pub fn or(&self, dumps: &Dumps) -> Result<From, CliError> {
        match &self.triples {
            Some(table) => Ok(From::Triples(table.clone())),
            None => Ok(From::Dumps(dumps.locations()?)),
        }
    }

    /// Whether there is a table.
    pub fn is_given(&self) -> bool {
        self.triples.is_some()
    }
}

/// Which wiki.
#[derive(Debug, Args)]
pub struct WikiArgs {
    /// The wiki the dumps are of
    #[arg(long, value_enum, default_value_t = Scheme::Wikidata, env = "HEADWATER_URIS_SCHEME")]
    uris_scheme: Scheme,
    /// Another Wikibase: its host, such as wiki.example.org
    #[arg(long, value_name = "HOST", env = "HEADWATER_HOSTNAME", conflicts_with = "uris_scheme")]
    hostname: Option<String>,
    /// The namespace of its entities, if it is not http://HOST/entity/
    #[arg(long, value_name = "URI", env = "HEADWATER_CONCEPT_URI")]
    concept_uri: Option<String>,
}

/// What to do with broken input.
#[derive(Clone, Copy, Debug, Args)]
pub struct BadEntity {
    /// What to do with an entity or a line that breaks a rule: stop the run, or leave it out and list it in the report
    /// [default: stop; import: skip]
    #[arg(long, value_enum, value_name = "WHAT", env = "HEADWATER_ON_BAD_ENTITY")]
    on_bad_entity: Option<OnBad>,
}

/// Refuses files of lines that are compressed, by their names.
pub fn unpacked(files: &[String]) -> Result<(), CliError> {
    let is_packed = |file: &&String| [".gz", ".bz2", ".zst"].iter().any(|end| file.ends_with(end));
    match files.iter().find(is_packed) {
        Some(packed) => {
            let message = format!("{packed} is compressed: no position could be found again in it");
            Err(CliError::usage(message).hint("unpack it first"))
        }
        None => Ok(()),
    }
}

/// Whom to ask in the place of a host, as it is typed.
pub fn routes(texts: &[String]) -> Result<Vec<Route>, CliError> {
    let route = |text: &String| Route::parse(text).map_err(|error| CliError::usage(error.to_string()));
    texts.iter().map(route).collect()
}

/// Where to listen, if anywhere: the first of these that can be had.
pub fn listen(text: Option<&str>) -> Result<Vec<Listen>, CliError> {
    let places = match text {
        Some("none") => vec![],
        Some(place) => vec![place],
        None => vec![control::DEFAULT, control::ANY],
    };
    let listen = |place| Listen::parse(place).map_err(|error| CliError::usage(error.to_string()));
    places.into_iter().map(listen).collect()
}

/// A tag of a language, as Wikibase has them: `de`, `zh-hant`. With anything else no label would stay, without a word.
fn language(text: &str) -> Result<String, &'static str> {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_one = text.split('-').all(is_part);
    if is_one { Ok(text.to_owned()) } else { Err("a language is written like de or zh-hant") }
}

/// Reads a size of memory, in bytes: `1GiB`, `500 MB`; a number alone is in MiB.
pub fn memory(text: &str) -> Result<usize, String> {
    const UNITS: [(&str, usize); 7] = [
        ("", 1 << 20),
        ("kB", 1000),
        ("MB", 1000 * 1000),
        ("GB", 1000 * 1000 * 1000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, bytes)| *bytes);
    let bytes = number.parse().ok().zip(unit).and_then(|(number, unit): (usize, usize)| number.checked_mul(unit));
    bytes.ok_or_else(|| "a size is a whole number, of MiB or with kB, MB, GB, KiB, MiB or GiB".to_owned())
}

/// What the munge leaves out.
#[derive(Debug, Args)]
pub struct MungeArgs {
    /// Keep labels, descriptions and aliases in these languages only
    #[arg(long, value_name = "LANG,…", value_delimiter = ',', env = "HEADWATER_LABEL_LANGUAGE", value_parser = language)]
    label_language: Vec<String>,
    /// Keep one label and one description only: in the first of these languages that has one
    #[arg(long, value_name = "LANG,…", value_delimiter = ',', env = "HEADWATER_SINGLE_LABEL", value_parser = language)]
    single_label: Vec<String>,
    /// Leave out sitelinks
    #[arg(long, env = "HEADWATER_SKIP_SITELINKS")]
    skip_sitelinks: bool,
    /// Keep the types that nearly every node has, such as wikibase:Item and wikibase:Statement
    #[arg(long, env = "HEADWATER_KEEP_TYPES")]
    keep_types: bool,
    /// Leave blank nodes as they are. The stream has IRIs in their place: a store that is to follow it needs those
    #[arg(long, env = "HEADWATER_NO_SKOLEMIZE")]
    no_skolemize: bool,
}

/// What to do where the output exists already.
#[derive(Clone, Copy, Debug, Args)]
pub struct Existing {
    /// Replace output that exists already
    #[arg(long)]
    overwrite: bool,
}

/// In which format a savepoint is written.
#[derive(Debug, Args)]
pub struct SavepointForm {
    /// The format of the savepoint: our own, or the one that Flink's streaming-updater-producer starts from. Given twice,
    /// both, in the directories native and flink below --savepoint-dir
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        value_delimiter = ',',
        default_value = "native",
        env = "HEADWATER_SAVEPOINT_FORMAT"
    )]
    savepoint_format: Vec<FormatArg>,
    #[command(flatten)]
    parallelism: Parallelism,
}

/// How a savepoint in Flink's format is cut.
#[derive(Clone, Copy, Debug, Args)]
pub struct Parallelism {
    /// In Flink's format: how many state files. A job of any parallelism restores them; most evenly one of the same
    #[arg(long, value_name = "N", default_value_t = 10, env = "HEADWATER_PARALLELISM",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(flink::MAX_PARALLELISM)))]
    parallelism: u16,
}

/// A format of savepoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum FormatArg {
    Native,
    Flink,
}

impl SavepointForm {
    /// What to write, with `dir` as --savepoint-dir; nothing without one.
    pub fn targets(&self, dir: Option<&str>) -> Result<Vec<Target>, CliError> {
        let Some(dir) = dir.map(Location::parse).transpose()? else { return Ok(Vec::new()) };
        let formats: BTreeSet<_> = self.savepoint_format.iter().map(|format| format.format()).collect();
        let dir_of = |format: Format| if formats.len() > 1 { dir.join(format.name()) } else { dir.clone() };
        Ok(formats.iter().map(|format| self.parallelism.target(dir_of(*format), *format)).collect())
    }
}

impl Parallelism {
    /// A savepoint to write.
    pub fn target(self, dir: Location, format: Format) -> Target {
        Target { dir, format, parallelism: self.parallelism }
    }
}

impl FormatArg {
    /// The format.
    pub fn format(self) -> Format {
        match self {
            Self::Native => Format::Native,
            Self::Flink => Format::Flink,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scheme {
    Wikidata,
    Commons,
}

/// What to do with broken input, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OnBad {
    Stop,
    Skip,
}

impl Dumps {
    /// The dumps; at least one.
    pub fn locations(&self) -> Result<Vec<Location>, CliError> {
        if self.dumps.is_empty() {
            return Err(CliError::usage("no input: give the dumps with --dump"));
        }
        self.dumps.iter().map(|dump| Location::parse(dump).map_err(<CliError as std::convert::From<_>>::from)).collect()
    }
}

impl WikiArgs {
    /// The wiki they describe.
    pub fn wiki(&self) -> Result<Wiki, CliError> {
        let mut wiki = match (self.uris_scheme, &self.hostname) {
            (_, Some(hostname)) => Wiki { scheme: UrisScheme::for_host(hostname)?, wikidata: false },
            (Scheme::Wikidata, None) => Wiki { scheme: UrisScheme::wikidata(), wikidata: true },
            (Scheme::Commons, None) => Wiki { scheme: UrisScheme::commons(), wikidata: false },
        };
        if let Some(concept) = &self.concept_uri {
            wiki.scheme = wiki.scheme.with_concept(concept)?;
        }
        Ok(wiki)
    }

    /// What the wiki is called in a table's partition.
    pub fn name(&self) -> String {
        match (self.uris_scheme, &self.hostname) {
            (_, Some(hostname)) => hostname.replace(':', "_"),
            (Scheme::Wikidata, None) => "wikidata".to_owned(),
            (Scheme::Commons, None) => "commons".to_owned(),
        }
    }
}

impl BadEntity {
    /// The policy of a command that stops unless told otherwise.
    pub fn policy(self) -> OnBadEntity {
        self.policy_or(OnBadEntity::Stop)
    }

    /// The policy of a command that skips unless told otherwise.
    pub fn policy_or_skip(self) -> OnBadEntity {
        self.policy_or(OnBadEntity::Skip)
    }

    fn policy_or(self, default: OnBadEntity) -> OnBadEntity {
        match self.on_bad_entity {
            Some(OnBad::Stop) => OnBadEntity::Stop,
            Some(OnBad::Skip) => OnBadEntity::Skip,
            None => default,
        }
    }
}

impl MungeArgs {
    /// The options. Languages are compared in lower case, as tags are written.
    pub fn options(&self) -> Options {
        let languages = |list: &[String]| {
            (!list.is_empty()).then(|| list.iter().map(|language| language.to_ascii_lowercase()).collect())
        };
        Options {
            label_languages: languages(&self.label_language),
            single_label: languages(&self.single_label),
            skip_sitelinks: self.skip_sitelinks,
            keep_types: self.keep_types,
            skolemize: !self.no_skolemize,
        }
    }
}

impl Existing {
    /// The policy.
    pub fn policy(self) -> OnExisting {
        if self.overwrite { OnExisting::Overwrite } else { OnExisting::Refuse }
    }

    /// The file that `text` names, if it may be written: never where it is one of those that are `read`.
    pub fn target(
        self,
        text: Option<&str>,
        read: impl FnOnce() -> Result<Vec<Location>, CliError>,
    ) -> Result<Option<Location>, CliError> {
        let Some(file) = text.map(Location::parse).transpose()? else { return Ok(None) };
        if self.policy() == OnExisting::Refuse && storage::exists(&file)? {
            return Err(StorageError::AlreadyExists { location: file }.into());
        }
        keep_apart(&[("", file.clone())], &read()?)?;
        Ok(Some(file))
    }
}

/// Refuses what would destroy something: to write a file where another is written too, or where something is read. With each file
/// that is `written` comes the option that names it.
pub fn keep_apart(written: &[(&str, Location)], read: &[Location]) -> Result<(), CliError> {
    for (at, (option, file)) in written.iter().enumerate() {
        if let Some((other, _)) = written[..at].iter().find(|(_, other)| other.overlaps(file)) {
            let message = format!("{other} and {option} would both be written to {file}");
            return Err(CliError::usage(message).hint("give each a file of its own"));
        }
        if let Some(read) = read.iter().find(|read| read.overlaps(file)) {
            let message = format!("{file} is to be written, and {read} is read: that would destroy it");
            return Err(CliError::usage(message).hint("choose another place"));
        }
    }
    Ok(())
}
