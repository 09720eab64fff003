//! How to reach a cluster.
//!
//! Promise: every property of the client can be given, but for those that would break what this module promises.
//! In -> out: `key=value` as typed or in a file -> [`Property`]; [`Settings`] -> the client's configuration.
//! Invariant: values are never displayed.

use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

/// What is ours to set, and where else it is given.
const OURS: &[(&str, &str)] = &[
    ("bootstrap.servers", "give the brokers by themselves"),
    ("metadata.broker.list", "give the brokers by themselves"),
    ("group.id", "give the group by itself"),
    ("group.protocol", "no group is joined"),
    ("group.instance.id", "no group is joined"),
    ("enable.auto.commit", "nothing is committed unasked"),
    ("enable.auto.offset.store", "nothing is committed unasked"),
    ("auto.offset.reset", "no position is guessed"),
    ("allow.auto.create.topics", "no topic is made"),
    ("enable.partition.eof", "the end of a partition must be seen"),
    ("isolation.level", "positions are those of all records"),
];

/// How to reach a cluster, and as which group.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host:port`, several with commas.
    pub brokers: String,
    /// The consumer group whose offsets are read and committed.
    pub group: String,
    /// Properties of librdkafka; of two with one key the last counts.
    pub properties: Vec<Property>,
    /// How long an answer may take; a second at least.
    pub timeout: Duration,
}

/// A property of the client.
#[derive(Clone)]
pub struct Property {
    key: String,
    value: String,
}

/// The text is no property that may be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// There is no `=`, or nothing before it. The text is not shown: it may be a secret.
    #[error("a property is written key=value")]
    Form,
    /// It is ours.
    #[error("the property {key} cannot be given: {reason}")]
    Ours {
        /// Its key.
        key: String,
        /// Why not.
        reason: &'static str,
    },
}

impl Property {
    /// A property with that key.
    pub fn new(key: &str, value: &str) -> Result<Self, PropertyError> {
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(PropertyError::Form);
        }
        match OURS.iter().find(|(ours, _)| *ours == key) {
            Some((_, reason)) => Err(PropertyError::Ours { key: key.to_owned(), reason }),
            None => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
        }
    }

    /// Reads `key=value`.
    pub fn parse(text: &str) -> Result<Self, PropertyError> {
        let (key, value) = text.split_once('=').ok_or(PropertyError::Form)?;
        Self::new(key, value)
    }

    /// Reads a file of such lines; empty ones, and those that begin with `#`, say nothing, nor does a mark of UTF-8 before all.
    /// Errors come with the line, counted from 1.
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, (usize, PropertyError)> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let said = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        said.map(|(at, line)| Self::parse(line).map_err(|error| (at, error))).collect()
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", self.key)
    }
}

impl Settings {
    /// The client's configuration. What is ours comes last.
    pub(in crate::kafka) fn client(&self, role: Role<'_>) -> ClientConfig {
        let millis = self.timeout.as_millis();
        let most = |limit: u128| millis.clamp(1000, limit).to_string();
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Error);
        // Requests, and a commit that waits for its coordinator, end with the time-out.
        let limits = ["socket.timeout.ms", "socket.connection.setup.timeout.ms", "session.timeout.ms"];
        let limits = limits.into_iter().filter(|key| role.is_consumer() || *key != "session.timeout.ms");
        limits.for_each(|key| _ = config.set(key, most(300_000)));
        config.set("reconnect.backoff.max.ms", "500");
        role.defaults().iter().for_each(|(key, value)| _ = config.set(*key, *value));
        self.properties.iter().for_each(|property| _ = config.set(&property.key, &property.value));
        config.set("bootstrap.servers", &self.brokers);
        config.set("allow.auto.create.topics", "false");
        role.fixed().iter().for_each(|(key, value)| _ = config.set(*key, *value));
        match role {
            Role::Outbox { transactional } => _ = config.set("transactional.id", transactional),
            // A record that is not acknowledged in time is given up, so that whoever sends it knows.
            Role::Sender => _ = config.set("message.timeout.ms", most(300_000)),
            Role::Questions | Role::CommittedOnly | Role::Feed => _ = config.set("group.id", &self.group),
        }
        config
    }
}

/// What a client is for.
#[derive(Clone, Copy, Debug)]
pub(in crate::kafka) enum Role<'r> {
    /// Questions about many partitions, each for a few records.
    Questions,
    /// The same, of what was committed only.
    CommittedOnly,
    /// Reading on and on.
    Feed,
    /// Writing in transactions of that name.
    Outbox {
        /// The name.
        transactional: &'r str,
    },
    /// Writing without transactions.
    Sender,
}

/// Properties and their values.
type Properties = &'static [(&'static str, &'static str)];

impl Role<'_> {
    fn is_consumer(self) -> bool {
        !matches!(self, Self::Outbox { .. } | Self::Sender)
    }

    /// What the user may set otherwise.
    fn defaults(self) -> Properties {
        match self {
            // A few records are read of each of many partitions: small answers, soon.
            Self::Questions | Self::CommittedOnly => &[
                ("fetch.message.max.bytes", "65536"),
                ("fetch.wait.max.ms", "10"),
                ("fetch.queue.backoff.ms", "10"),
                ("queued.min.messages", "1"),
            ],
            // Statistics tell where partitions end.
            Self::Feed => &[
                ("fetch.wait.max.ms", "100"),
                ("queued.max.messages.kbytes", "32768"),
                ("statistics.interval.ms", "5000"),
            ],
            // A transaction is open from one checkpoint to the next; by default a broker allows 15 minutes.
            Self::Outbox { .. } => &[("linger.ms", "5"), ("transaction.timeout.ms", "600000")],
            // A topic that is not there is told soon.
            Self::Sender => &[("linger.ms", "5"), ("topic.metadata.propagation.max.ms", "3000")],
        }
    }

    /// What the promises of this module rest on.
    fn fixed(self) -> Properties {
        match self {
            Self::Questions => &[
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("enable.partition.eof", "true"),
                ("isolation.level", "read_uncommitted"),
            ],
            Self::CommittedOnly => &[
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("enable.partition.eof", "true"),
                ("isolation.level", "read_committed"),
            ],
            Self::Feed => &[
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("auto.offset.reset", "error"),
                ("enable.partition.eof", "false"),
                ("isolation.level", "read_committed"),
            ],
            Self::Outbox { .. } | Self::Sender => &[("enable.idempotence", "true")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_and_ours_refused() {
        let rows = [
            ("sasl.password=a=b", Ok("sasl.password")),
            (" ssl.ca.location = /etc/ca ", Ok("ssl.ca.location")),
            ("secret", Err("a property is written key=value")),
            ("=secret", Err("a property is written key=value")),
            ("group.id=x", Err("the property group.id cannot be given: give the group by itself")),
            ("enable.auto.commit=true", Err("the property enable.auto.commit cannot be given")),
        ];
        for (text, expected) in rows {
            match (Property::parse(text), expected) {
                (Ok(property), Ok(key)) => assert_eq!(property.key, key),
                (Err(error), Err(message)) => assert!(error.to_string().starts_with(message), "{error}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
        let lines =
            Property::parse_lines("\u{feff}# TLS\n\nsecurity.protocol=SASL_SSL\n sasl.password=p=w \n").unwrap();
        assert_eq!(lines.iter().map(|property| property.value.as_str()).collect::<Vec<_>>(), ["SASL_SSL", "p=w"]);
        assert_eq!(Property::parse_lines("a=b\nc\n").unwrap_err(), (2, PropertyError::Form));
    }

    #[test]
    fn values_are_not_displayed() {
        let property = Property::new("sasl.password", "hunter2").unwrap();
        assert_eq!(format!("{property:?}"), "sasl.password=…");
    }

    #[test]
    fn the_last_of_two_counts_and_ours_always() {
        let given = ["fetch.wait.max.ms=1", "fetch.wait.max.ms=2"].map(|text| Property::parse(text).unwrap());
        let timeout = Duration::from_millis(5);
        let settings = Settings { brokers: "b:1".into(), group: "g".into(), properties: given.into(), timeout };
        let config = settings.client(Role::Questions);
        assert_eq!(config.get("fetch.wait.max.ms"), Some("2"));
        assert_eq!(config.get("enable.auto.commit"), Some("false"));
        assert_eq!(config.get("socket.timeout.ms"), Some("1000"));
    }
}
