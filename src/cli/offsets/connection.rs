//! How to reach Kafka, from arguments, environment and a file.

use std::time::Duration;

use crate::cli::error::CliError;
use crate::env::Env;
use crate::kafka::cluster::Cluster;
use crate::kafka::{Property, Settings, Topic};
use crate::offsets::span::Span;
use crate::storage::{self, Location};

/// The variable of the environment that holds a password: not a flag, which others could see.
const PASSWORD: &str = "HEADWATER_KAFKA_PASSWORD";
/// The largest file of properties, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// How to reach Kafka.
#[derive(Debug, clap::Args)]
pub struct Connection {
    /// Brokers of the cluster; one that answers is enough
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',', env = "HEADWATER_BROKERS", value_parser = broker)]
    brokers: Vec<String>,
    /// A file of properties of the Kafka client (librdkafka's), one key=value a line: TLS, SASL, secrets
    #[arg(long, value_name = "FILE", env = "HEADWATER_KAFKA_PROPERTIES")]
    kafka_properties: Option<String>,
    /// A property of the Kafka client; of several with one key the last counts, and all before the file
    #[arg(short = 'X', long = "property", value_name = "KEY=VALUE")]
    properties: Vec<String>,
    /// How long an answer of Kafka may take
    #[arg(long, value_name = "TIME", default_value = "10s", env = "HEADWATER_TIMEOUT", value_parser = Span::parse)]
    timeout: Span,
}

impl Connection {
    /// Connects as that group.
    pub fn connect(&self, group: &str, env: &Env) -> Result<Cluster, CliError> {
        Ok(Cluster::connect(&self.settings(group)?, env)?)
    }

    /// How to reach Kafka as that group.
    pub fn settings(&self, group: &str) -> Result<Settings, CliError> {
        if self.brokers.is_empty() {
            return Err(CliError::usage("no Kafka: give its brokers with --brokers"));
        }
        if group.trim().is_empty() || group.chars().any(char::is_control) {
            return Err(CliError::usage("no group: give its name with --group"));
        }
        let timeout = self.timeout()?;
        let mut properties = self.kafka_properties.as_deref().map_or(Ok(Vec::new()), from_file)?;
        if let Ok(password) = std::env::var(PASSWORD) {
            properties.push(Property::new("sasl.password", &password)?);
        }
        for property in &self.properties {
            properties.push(Property::parse(property)?);
        }
        Ok(Settings { brokers: self.brokers.join(","), group: group.to_owned(), properties, timeout })
    }

    /// How long an answer may take.
    pub fn timeout(&self) -> Result<Duration, CliError> {
        let timeout = self.timeout.duration();
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&timeout) {
            return Err(CliError::usage("--timeout takes 1s to 1h"));
        }
        Ok(timeout)
    }
}

/// The topic that a place names, if it is written `kafka:TOPIC`.
pub fn topic(place: &str) -> Result<Option<Topic>, CliError> {
    let parse = |topic| Topic::parse(topic).map_err(|error| CliError::usage(error.to_string()));
    place.strip_prefix("kafka:").map(parse).transpose()
}

/// A broker as the client takes it, which does not look at the port.
fn broker(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let (host, port) = text.rsplit_once(':').unwrap_or((text, "9092"));
    let is_one = !host.is_empty() && !text.contains("://") && port.parse::<u16>().is_ok_and(|port| port > 0);
    if is_one { Ok(text.to_owned()) } else { Err("a broker is written HOST:PORT") }
}

fn from_file(file: &str) -> Result<Vec<Property>, CliError> {
    let text = storage::read_at_most(&Location::parse(file)?, MAX_BYTES)?;
    let no_text = |_| CliError::usage(format!("{file} is no file of properties: it is no text in UTF-8"));
    let text = std::str::from_utf8(&text).map_err(no_text)?;
    Property::parse_lines(text).map_err(|(line, error)| CliError::usage(format!("{file}, line {line}: {error}")))
}
