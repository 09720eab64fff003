//! Arguments that several commands share.

use clap::{Args, ValueEnum};

use crate::bootstrap::{OnBadEntity, Wiki};
use crate::cli::error::CliError;
use crate::savepoint::OnExisting;
use crate::storage::Location;
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
    #[arg(long, value_enum, default_value_t = OnBad::Stop, value_name = "WHAT", env = "HEADWATER_ON_BAD_ENTITY")]
    on_bad_entity: OnBad,
}

/// What to do where the output exists already.
#[derive(Clone, Copy, Debug, Args)]
pub struct Existing {
    /// Replace output that exists already
    #[arg(long)]
    overwrite: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scheme {
    Wikidata,
    Commons,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnBad {
    Stop,
    Skip,
}

impl Dumps {
    /// The dumps; at least one.
    pub fn locations(&self) -> Result<Vec<Location>, CliError> {
        if self.dumps.is_empty() {
            return Err(CliError::usage("no input: give the dumps with --dump"));
        }
        self.dumps.iter().map(|dump| Location::parse(dump).map_err(CliError::from)).collect()
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
}

impl BadEntity {
    /// The policy.
    pub fn policy(self) -> OnBadEntity {
        match self.on_bad_entity {
            OnBad::Stop => OnBadEntity::Stop,
            OnBad::Skip => OnBadEntity::Skip,
        }
    }
}

impl Existing {
    /// The policy.
    pub fn policy(self) -> OnExisting {
        if self.overwrite { OnExisting::Overwrite } else { OnExisting::Refuse }
    }
}
