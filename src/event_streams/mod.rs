//! What happens on a wiki, told over HTTP: streams as Wikimedia's EventStreams serves them.
//!
//! Promise: every event from where it was asked for, in the order of its partition, whatever breaks between; or an error where the
//! server does not have them.
//! In -> out: a URL, positions or a time -> [`Arrived`] events, one call after the other.
//! Invariant: a stream is resumed by offsets. An event whose offset is known is handed over once; of a server that tells none, events
//! may come again after a break. When nobody takes, nothing is read. Positions are those of what was handed over.
//! Rules: KafkaSSE and eventstreams (see `event_streams::positions`); the HTML standard for the format (`event_streams::sse`). What
//! ends a connection, and what is done:
//!
//! | what comes | what is done |
//! | --- | --- |
//! | the end, a break, silence, no connection; 408, 425, 500, 502, 504 | connected again, after 1 s, 2 s, … up to a minute |
//! | 429 (Wikimedia allows two connections an address), 503 | the same, and no sooner than `Retry-After` asks for |
//! | an event `error` | told by [`EventStream::heard`]; the server ends the connection then |
//! | any other status, a redirect, something else than a stream | [`StreamError::Refused`] |
//! | the first event is later than the time asked for, or an offset than the one asked for and all events before | [`StreamError::Gap`] |
//!
//! A server says nothing when it cannot go on where it was asked to: for a time of which Kafka retains nothing it begins with the
//! oldest it has, where Kafka has no offset, at the end; so times are compared. Heartbeats and canary events show that a connection
//! lives; canary events are handed over too, as their times matter.
//! Not here: what events mean (see `event::wire`).

mod configuration;
mod connection;
mod error;
mod pauses;
mod positions;
mod sse;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use configuration::{ConfigurationError, configuration};
pub use error::{Gap, StreamError};
pub use positions::StreamPosition;

use crate::env::Env;
use crate::event_streams::connection::{Ask, Came, Connection, End};
use crate::event_streams::pauses::Pauses;
use crate::event_streams::positions::{Positions, Standing, Told};
use crate::event_streams::sse::Parser;
use crate::kafka::Topic;
use crate::storage::tasks::Tasks;
use crate::web::{self, Client, Route, SetUpError, Target};
use crate::wikibase::timestamp::Timestamp;

/// Events taken at once, at most.
const AT_ONCE: usize = 1000;
/// How many things are remembered that were heard.
const MOST_HEARD: usize = 4;

/// Which stream, from where on, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its URL, such as `https://stream.wikimedia.org/v2/stream/mediawiki.page_change.v1`.
    pub url: String,
    /// Who is to be asked in the place of a host.
    pub routes: Vec<Route>,
    /// The `User-Agent` that is sent. Wikimedia asks that it says who runs the program and how to reach them.
    pub user_agent: String,
    /// Everything before was taken, or is not wanted: what has no position begins here. `None` for a little before the present.
    pub since: Option<Timestamp>,
    /// How much earlier it is begun nevertheless, without any gap if nothing is there.
    pub margin: Duration,
    /// Where to go on. With a time, the server is first asked by it for one event, as only then it names all its partitions.
    /// Without, only the topics of the positions, and those that are named here, are read.
    pub positions: Vec<StreamPosition>,
    /// The topics of the stream, as the stream configuration names them: those without a position begin at `since`. A stream of two
    /// data centres has a topic of each, one of which tells nothing until they change places.
    pub topics: Vec<String>,
    /// How much later than asked for a stream may go on.
    pub tolerance: Duration,
    /// Whether it may go on even later.
    pub accept_gap: bool,
    /// How long to wait for a connection.
    pub connect: Duration,
    /// How long a connection may be silent.
    pub silence: Duration,
    /// The pause after a connection that ended.
    pub first_pause: Duration,
    /// The longest pause, after many.
    pub longest_pause: Duration,
    /// How long the server may be out of reach; `None` for ever.
    pub patience: Option<Duration>,
    /// How many bytes an event may have.
    pub most_bytes: usize,
}

impl Settings {
    /// The stream at that URL, from the present on.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            routes: Vec::new(),
            user_agent: web::USER_AGENT.to_owned(),
            since: None,
            margin: Duration::ZERO,
            positions: Vec::new(),
            topics: Vec::new(),
            tolerance: Duration::from_secs(600),
            accept_gap: false,
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(60),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            patience: None,
            most_bytes: 16 << 20,
        }
    }
}

/// An event that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'r> {
    /// Its topic and partition, and the offset behind it; `None` if the server does not tell.
    pub at: Option<&'r StreamPosition>,
    /// Its JSON; whatever stood there, if it is none.
    pub value: &'r [u8],
}

/// A stream that is read.
#[derive(Debug)]
pub struct EventStream {
    settings: Settings,
    target: Target,
    client: Client,
    tasks: Arc<Tasks>,
    now: fn() -> Timestamp,
    positions: Positions,
    pauses: Pauses,
    /// `None` after an error, until it is asked again.
    connection: Option<Connection>,
    parser: Parser,
    /// What came and was not read yet.
    part: Bytes,
    bounds: Bounds,
    /// Since when nothing came.
    unanswered: Option<Timestamp>,
    heard: VecDeque<String>,
    repeated: u64,
}

impl EventStream {
    /// Begins to read. Errors: `Url`, `Topic`, `SetUp`.
    pub fn open(settings: Settings, env: &Env) -> Result<Self, StreamError> {
        let target = Target::new(&settings.url, &settings.routes)?;
        let positions = settings.positions.iter().map(|position| &position.topic);
        positions.chain(&settings.topics).try_for_each(|topic| Topic::parse(topic).map(|_| ()))?;
        let client = Client::new(&web::Settings {
            user_agent: settings.user_agent.clone(),
            connect: settings.connect,
            part: settings.silence,
            whole: None,
            // One that has ended is not to count against the two that are allowed.
            kept: 0,
            is_direct: target.host().is_some(),
        })?;
        let tasks = Arc::new(Tasks::start(1).map_err(SetUpError::Threads)?);
        let begin = settings.since.unwrap_or_else(|| (env.now)().before(settings.tolerance)).before(settings.margin);
        let mut stream = Self {
            target,
            client,
            tasks,
            now: env.now,
            positions: Positions::new(
                settings.positions.clone(),
                settings.topics.clone(),
                begin,
                settings.since.is_none(),
            ),
            pauses: Pauses::new(settings.first_pause, settings.longest_pause),
            connection: None,
            parser: Parser::new(settings.most_bytes),
            part: Bytes::new(),
            bounds: Bounds {
                tolerance: settings.tolerance,
                reached: settings.since,
                answered: None,
                // Beside positions, a time is one of partitions that were silent, and may be so for long.
                is_verified: settings.since.is_none() || !settings.positions.is_empty(),
            },
            unanswered: None,
            heard: VecDeque::new(),
            repeated: 0,
            settings,
        };
        stream.connect(Duration::ZERO);
        Ok(stream)
    }

    /// Hands what has come to `take`, after waiting for the first event for at most `wait`. Returns how many there were.
    ///
    /// A server that is gone is no error, unless patience is limited: the stream connects again, and [`EventStream::heard`] tells of
    /// it. Errors: `Refused`, `OutOfReach`, `TooLarge`, `Gap`; what the error is about was not taken, and who calls again begins a new
    /// connection.
    pub fn poll(&mut self, wait: Duration, mut take: impl FnMut(Arrived<'_>)) -> Result<usize, StreamError> {
        let outcome = self.take_all(wait, &mut take);
        if outcome.is_err() {
            self.connection = None;
            self.part = Bytes::new();
        }
        outcome
    }

    /// What was taken, of partitions of which it is known: where to go on later.
    pub fn positions(&self) -> Vec<StreamPosition> {
        self.positions.known().cloned().collect()
    }

    /// Its URL, without what is secret.
    pub fn url(&self) -> &str {
        self.target.public()
    }

    /// The topic and number of every partition that is read, as far as the server told or positions name them.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, u32)> {
        self.positions.partitions()
    }

    /// What was heard lately of connections that do not hold, the newest last.
    pub fn heard(&self) -> Vec<String> {
        self.heard.iter().cloned().collect()
    }

    /// Why nothing comes, since the last answer of the server, if that is so.
    pub fn out_of_reach(&self) -> Option<StreamError> {
        let since = self.unanswered?;
        Some(StreamError::OutOfReach { url: self.target.public().to_owned(), since, heard: self.heard() })
    }

    /// How many events came again and were left out.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    fn take_all(&mut self, mut wait: Duration, take: &mut impl FnMut(Arrived<'_>)) -> Result<usize, StreamError> {
        let mut count = 0;
        loop {
            while count < AT_ONCE && !self.part.is_empty() {
                count += usize::from(self.read(take)?);
            }
            if count >= AT_ONCE {
                break;
            }
            let Some(connection) = &mut self.connection else {
                let pause = self.pause(None);
                self.connect(pause);
                continue;
            };
            match connection.next(if count > 0 { Duration::ZERO } else { wait }) {
                Came::Part(part) => self.answer(part),
                Came::Nothing => break,
                Came::End => {
                    let end = self.connection.take().map(Connection::end);
                    end.map_or(Ok(()), |end| self.connect_again(end))?;
                }
            }
            wait = Duration::ZERO;
        }
        Ok(count)
    }

    /// Reads on up to the next event; whether there was one to take.
    fn read(&mut self, take: &mut impl FnMut(Arrived<'_>)) -> Result<bool, StreamError> {
        let mut rest: &[u8] = &self.part;
        let event = self.parser.read(&mut rest);
        let read = self.part.len() - rest.len();
        let oversize = |sse::Oversize(most)| StreamError::TooLarge { url: self.target.public().to_owned(), most };
        let Some(event) = event.map_err(oversize)? else {
            self.part = Bytes::new();
            return Ok(false);
        };
        self.part = self.part.slice(read..);
        match event.kind {
            b"" | b"message" => {}
            b"error" => {
                hear(&mut self.heard, format!("the server says: {}", shortened(event.data)));
                return Ok(false);
            }
            _ => return Ok(false),
        }
        self.pauses.reset();
        if self.positions.is_asking() {
            self.positions.named(event.id);
            self.connect(Duration::ZERO);
            return Ok(false);
        }
        let told = Told::of(event.data);
        let standing = self.positions.standing(&told, event.id);
        if standing == Standing::Repeated {
            self.repeated += 1;
            return Ok(false);
        }
        let gap = self.bounds.gap(standing, told.time).map(|(asked, came, offsets)| Gap {
            url: self.target.public().to_owned(),
            asked,
            came,
            offsets,
        });
        match gap {
            Some(gap) if self.settings.accept_gap => hear(&mut self.heard, gap.to_string()),
            Some(gap) => return Err(StreamError::Gap(Box::new(gap))),
            None => {}
        }
        self.bounds.take(standing, told.time);
        take(Arrived { at: self.positions.take(&told, event.id), value: event.data });
        Ok(true)
    }

    /// The connection brought something.
    fn answer(&mut self, part: Bytes) {
        self.bounds.answered.get_or_insert_with(self.now);
        self.unanswered = None;
        self.part = part;
    }

    /// Begins a connection after one that ended.
    fn connect_again(&mut self, end: End) -> Result<(), StreamError> {
        let url = || self.target.public().to_owned();
        let (what, asked) = match end {
            End::Refused(what) => return Err(StreamError::Refused { url: url(), what }),
            End::Closed => ("the server closed the connection".to_owned(), None),
            End::Busy { status, asked } => (format!("the server has no place: the status {status}"), asked),
            End::Failed(reason) => (format!("the connection broke: {reason}"), None),
            End::Unreachable(reason) => (format!("no connection: {reason}"), None),
        };
        hear(&mut self.heard, what);
        let now = (self.now)();
        let since = *self.unanswered.get_or_insert(now);
        if self.settings.patience.is_some_and(|patience| now.before(patience) >= since) {
            return Err(StreamError::OutOfReach { url: url(), since, heard: self.heard() });
        }
        let pause = self.pause(asked);
        // No longer than who waits is patient.
        self.connect(self.settings.patience.map_or(pause, |patience| pause.min(patience)));
        Ok(())
    }

    fn pause(&mut self, asked: Option<Duration>) -> Duration {
        // Without chance all pauses are the longest, which is no harm.
        let chance = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        self.pauses.next(self.parser.retry(), asked, chance)
    }

    fn connect(&mut self, pause: Duration) {
        self.parser.restart();
        self.part = Bytes::new();
        self.bounds.answered = None;
        let last_event_id = self.positions.begin_connection();
        let mut url = self.target.asked().to_owned();
        if !self.positions.is_complete() {
            url.push(if self.target.has_query() { '&' } else { '?' });
            url.push_str(&format!("since={}", self.positions.begin()));
        }
        let host = self.target.host().map(str::to_owned);
        let ask = Ask { url, host, last_event_id, pause, now: self.now };
        self.connection = Some(Connection::begin(&self.tasks, &self.client, ask));
    }
}

/// The times between which all must have come.
#[derive(Debug)]
struct Bounds {
    tolerance: Duration,
    /// Up to when events were taken, or are not wanted.
    reached: Option<Timestamp>,
    /// When the connection brought its first bytes. All that happened later comes over it.
    answered: Option<Timestamp>,
    /// Whether the stream was seen to begin where it was asked to.
    is_verified: bool,
}

/// A time and offsets asked for, a time that came.
type Found = (Timestamp, Timestamp, Option<(u64, u64)>);

impl Bounds {
    /// What was asked for and what came, if there is too much between the two.
    fn gap(&self, standing: Standing, time: Option<Timestamp>) -> Option<Found> {
        let offsets = match standing {
            Standing::Leapt { asked, came } => Some((asked, came)),
            Standing::Unknown if !self.is_verified => None,
            _ => return None,
        };
        let (asked, came) = (self.reached?, time?);
        let unseen_until = self.answered.map_or(came, |answered| came.min(answered));
        (unseen_until.before(self.tolerance) > asked).then_some((asked, came, offsets))
    }

    /// An event was taken.
    fn take(&mut self, standing: Standing, time: Option<Timestamp>) {
        self.is_verified |= time.is_some() || standing == Standing::Behind;
        self.reached = self.reached.max(time);
    }
}

fn hear(heard: &mut VecDeque<String>, what: String) {
    heard.retain(|known| *known != what);
    heard.push_back(what);
    if heard.len() > MOST_HEARD {
        heard.pop_front();
    }
}

/// What of a server's words is told.
fn shortened(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(300).collect()
}
