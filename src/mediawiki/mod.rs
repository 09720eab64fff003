//! At which revision a wiki has an entity now, and when its page was deleted or restored: MediaWiki's action API.
//!
//! Promise: an answer is about what was asked, in the order asked; what the API does not say is an error, never a deletion. Nor is what
//! only an API says that does not know the wiki's entities: one of another wiki, or one that has none of many.
//! In -> out: entities -> [`Latest`], in batches; a page -> a time; a wiki's URIs -> whether it is that wiki's.
//! Rules: `action=query` with `prop=revisions` (redirects are not followed) and `list=logevents`, as upstream's
//! `WikibaseRepository.fetchLatestRevisionForEntities`; items and others are asked for by title, media info by page id. One request
//! at a time, with `maxlag`, as the wiki's etiquette asks. Asked again: what broke off, was out of reach, failed (500 and above), or
//! asked for patience (429, `maxlag`, `ratelimited`).
//! Not here: what follows from the answers.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::env::Env;
use crate::web::{self, Answer, Calls, Route, SetUpError, WebError};
use crate::wikibase::entity::{EntityId, EntityKind, Revision};
use crate::wikibase::timestamp::Timestamp;
use crate::wikibase::uris::UrisScheme;

/// How often the same is asked at most: where it is out of reach, and where it asks for patience.
const TRIES: (u32, u32) = (4, 6);
/// The longest pause that the wiki may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How many seconds the wiki's replicas may be behind before it refuses to answer. The etiquette's own number.
const MAX_LAG: u32 = 5;
/// How many entities of a kind may be missing though no other of them is there, without a word of the log.
const MOST_MISSING: usize = 10;
/// The most that an answer may have, in bytes.
const MOST: usize = 16 << 20;

/// Which wiki is asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The API: `https://www.wikidata.org/w/api.php`.
    pub url: String,
    /// What stands before an entity's id in the title of its page; nothing for media info, whose pages are found by id.
    pub namespaces: Namespaces,
    /// Who is to be asked in the place of others.
    pub routes: Vec<Route>,
    /// The `User-Agent` that is sent.
    pub user_agent: String,
    /// How long to wait for a connection, and for each part of an answer.
    pub timeout: Duration,
    /// The pause after the first try; it doubles with each.
    pub pause: Duration,
}

/// The names of namespaces, `Property` for `Property:P31`; empty for the main one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespaces {
    /// Of items.
    pub items: String,
    /// Of properties.
    pub properties: String,
    /// Of lexemes.
    pub lexemes: String,
}

impl Default for Namespaces {
    /// As Wikidata has them; English names are known to every wiki.
    fn default() -> Self {
        Self { items: String::new(), properties: "Property".to_owned(), lexemes: "Lexeme".to_owned() }
    }
}

/// The newest revision of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// Its number.
    pub revision: Revision,
    /// When it was made.
    pub time: Timestamp,
    /// The page's title.
    pub title: String,
}

/// Why the wiki did not tell.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// How it is to be asked cannot be used.
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    /// It could not be asked.
    #[error(transparent)]
    Web(#[from] WebError),
    /// It had no answer, or asked for patience, again and again.
    #[error("{url} does not answer for now: {said}")]
    Busy {
        /// The API.
        url: String,
        /// What it said.
        said: String,
    },
    /// It refused, or said something else than an answer.
    #[error("{url} does not answer as MediaWiki's API: {said}")]
    Answer {
        /// The API.
        url: String,
        /// What is wrong.
        said: String,
    },
    /// It is another wiki's.
    #[error("{url} is the API of the wiki {found}, not of {expected}")]
    OtherWiki {
        /// The API.
        url: String,
        /// What it says of itself: the namespace of its entities, or its server.
        found: String,
        /// What was to stand there.
        expected: String,
    },
    /// It has none of many entities, and knows of no deletion.
    #[error(
        "{url} calls all {count} {kind} missing that it was asked of at once, and its log tells of no deletion of one"
    )]
    AllMissing {
        /// The API.
        url: String,
        /// How many.
        count: usize,
        /// Of which kind, in the plural.
        kind: &'static str,
    },
}

/// MediaWiki's action API.
#[derive(Debug)]
pub struct Api {
    calls: Calls,
    settings: Settings,
    env: Env,
}

impl Api {
    /// Makes one; asks nothing yet.
    pub fn new(settings: Settings, env: &Env) -> Result<Self, ApiError> {
        let calls = Calls::new(&settings.user_agent, settings.timeout, MOST, settings.routes.clone(), env)?;
        Ok(Self { calls, settings, env: env.clone() })
    }

    /// The newest revisions of entities, 50 at most, in the order asked; `None` where there is no such page.
    pub fn latest(&self, entities: &[EntityId]) -> Result<Vec<Option<Latest>>, ApiError> {
        let (media, titled): (Vec<_>, Vec<_>) =
            entities.iter().copied().partition(|entity| entity.kind() == EntityKind::MediaInfo);
        let mut found = HashMap::new();
        if !titled.is_empty() {
            let titles: Vec<_> = titled.iter().filter_map(|entity| self.title(*entity)).collect();
            let query = self.query(&format!("prop=revisions&rvprop=ids%7Ctimestamp&titles={}", listed(&titles)))?;
            for (entity, title) in titled.iter().zip(&titles) {
                found.insert(*entity, self.page(&query, |page| page.title.as_deref() == Some(query.named(title)))?);
            }
        }
        if !media.is_empty() {
            let ids: Vec<_> = media.iter().map(|entity| entity.number().to_string()).collect();
            let query = self.query(&format!("prop=revisions&rvprop=ids%7Ctimestamp&pageids={}", listed(&ids)))?;
            for entity in &media {
                let number = u64::from(entity.number());
                found.insert(*entity, self.page(&query, |page| page.pageid == Some(number))?);
            }
        }
        self.refuse_all_missing(&found)?;
        Ok(entities.iter().map(|entity| found.get(entity).cloned().flatten()).collect())
    }

    /// Makes sure that it is the API of the wiki with these URIs. The wiki may be behind another name; one that says nothing of its
    /// entities must at least be on that host, unless somebody chose it (`is_chosen`).
    pub fn check_wiki(&self, scheme: &UrisScheme, is_chosen: bool) -> Result<(), ApiError> {
        let general = self.query("meta=siteinfo&siprop=general")?.general;
        let General { concept, server } = general.ok_or_else(|| self.wrong("it does not say which wiki it is of"))?;
        let (found, expected) = match (concept, server) {
            (Some(concept), _) => (concept, scheme.concept()),
            (None, Some(server)) if !is_chosen => (server, scheme.host()),
            (None, _) => return Ok(()),
        };
        if without_protocol(&found).eq_ignore_ascii_case(without_protocol(expected)) {
            return Ok(());
        }
        Err(ApiError::OtherWiki { url: self.settings.url.clone(), found, expected: expected.to_owned() })
    }

    /// Error: of many entities of a kind none is there, and the log tells of none that it was deleted. Then they were not looked for
    /// where they are.
    fn refuse_all_missing(&self, found: &HashMap<EntityId, Option<Latest>>) -> Result<(), ApiError> {
        for kind in EntityKind::ALL {
            let of_kind: Vec<_> = found.iter().filter(|(entity, _)| entity.kind() == kind).collect();
            if of_kind.len() <= MOST_MISSING || of_kind.iter().any(|(_, latest)| latest.is_some()) {
                continue;
            }
            let mut is_told = false;
            for (entity, _) in &of_kind {
                is_told = is_told || self.turned(**entity, None)?.is_some();
            }
            if !is_told {
                let (url, count) = (self.settings.url.clone(), of_kind.len());
                return Err(ApiError::AllMissing { url, count, kind: kind.plural() });
            }
        }
        Ok(())
    }

    /// When a page was last deleted or restored; `None` where the log does not say. Without a title that of the entity's page is
    /// taken, if that follows from its id.
    pub fn turned(&self, entity: EntityId, title: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
        let Some(title) = title.map(str::to_owned).or_else(|| self.title(entity)) else { return Ok(None) };
        let parameters = "list=logevents&letype=delete&leprop=type%7Ctimestamp&lelimit=50&letitle=";
        let query = self.query(&format!("{parameters}{}", encoded(&title)))?;
        // The newest comes first; the log also tells of hidden revisions, which take no page away.
        let turn = query.logevents.iter().find(|event| matches!(&*event.action, "delete" | "restore" | "delete_redir"));
        turn.map(|turn| self.time(&turn.timestamp)).transpose()
    }

    /// The title of an entity's page, but for media info.
    fn title(&self, entity: EntityId) -> Option<String> {
        let Namespaces { items, properties, lexemes } = &self.settings.namespaces;
        let namespace = match entity.kind() {
            EntityKind::Item => items,
            EntityKind::Property => properties,
            EntityKind::Lexeme => lexemes,
            EntityKind::MediaInfo => return None,
        };
        Some(if namespace.is_empty() { entity.to_string() } else { format!("{namespace}:{entity}") })
    }

    /// The newest revision of the page that is meant.
    fn page(&self, query: &Query, is_meant: impl Fn(&Page) -> bool) -> Result<Option<Latest>, ApiError> {
        let page = query.pages.iter().find(|page| is_meant(page));
        let page = page.ok_or_else(|| self.wrong("it leaves out a page that was asked for"))?;
        if page.missing {
            return Ok(None);
        }
        let [newest] = &*page.revisions else { return Err(self.wrong("a page is without its newest revision")) };
        let revision = Revision::new(newest.revid).map_err(|error| self.wrong(&error.to_string()))?;
        let title = page.title.clone().unwrap_or_default();
        Ok(Some(Latest { revision, time: self.time(&newest.timestamp)?, title }))
    }

    fn time(&self, text: &str) -> Result<Timestamp, ApiError> {
        Timestamp::parse(text).map_err(|error| self.wrong(&error.to_string()))
    }

    /// Asks, until there is an answer.
    fn query(&self, parameters: &str) -> Result<Query, ApiError> {
        let url = &self.settings.url;
        let url = format!("{url}?action=query&format=json&formatversion=2&maxlag={MAX_LAG}&{parameters}");
        for tried in 1.. {
            let (error, asked, most) = match self.calls.get(&url) {
                Ok(answer) => match self.read(&answer) {
                    Ok(query) => return Ok(query),
                    Err(error @ ApiError::Busy { .. }) => (error, answer.retry_after, TRIES.1),
                    Err(error) => return Err(error),
                },
                Err(error @ WebError::OutOfReach { .. }) => (error.into(), None, TRIES.0),
                Err(error) => return Err(error.into()),
            };
            if tried >= most {
                return Err(error);
            }
            let least = self.settings.pause * 2_u32.pow(tried - 1);
            if !self.env.rest(asked.unwrap_or_default().clamp(least, LONGEST_PAUSE)) {
                return Err(WebError::Stopped.into());
            }
        }
        unreachable!("the last try ends it")
    }

    fn read(&self, answer: &Answer) -> Result<Query, ApiError> {
        if matches!(answer.status, 429 | 500..=599) {
            return Err(self.busy(&format!("the status {}", answer.status)));
        }
        if !answer.is_success() {
            return Err(self.wrong(&format!("the status {}", answer.status)));
        }
        let reply: Reply =
            serde_json::from_slice(&answer.body).map_err(|error| self.wrong(&format!("no such JSON: {error}")))?;
        match (reply.error, reply.query) {
            (Some(Refusal { code, info }), _) if matches!(&*code, "maxlag" | "ratelimited" | "readonly") => {
                Err(self.busy(&format!("{code}: {info}")))
            }
            (Some(Refusal { code, info }), _) => Err(self.wrong(&format!("{code}: {info}"))),
            // More would have to be asked for; of so few pages and their newest revisions there is no more.
            (None, _) if reply.more.is_some_and(|more| more.get("rvcontinue").is_some()) => {
                Err(self.wrong("it does not tell all at once"))
            }
            (None, query) => query.ok_or_else(|| self.wrong("there is no `query` in it")),
        }
    }

    fn busy(&self, said: &str) -> ApiError {
        ApiError::Busy { url: self.settings.url.clone(), said: said.to_owned() }
    }

    fn wrong(&self, said: &str) -> ApiError {
        ApiError::Answer { url: self.settings.url.clone(), said: said.to_owned() }
    }
}

impl Settings {
    /// For that API, as others are asked.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            namespaces: Namespaces::default(),
            routes: Vec::new(),
            user_agent: web::USER_AGENT.to_owned(),
            timeout: Duration::from_secs(10),
            pause: Duration::from_millis(500),
        }
    }
}

#[derive(Deserialize)]
struct Reply {
    query: Option<Query>,
    error: Option<Refusal>,
    #[serde(rename = "continue")]
    more: Option<Value>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    info: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Query {
    pages: Vec<Page>,
    /// Titles as they were asked for, and as the wiki writes them: with the name of a namespace in its language.
    normalized: Vec<Normalized>,
    logevents: Vec<LogEvent>,
    general: Option<General>,
}

/// What a wiki says of itself.
#[derive(Deserialize)]
struct General {
    /// The namespace of its entities; a Wikibase tells.
    #[serde(rename = "wikibase-conceptbaseuri")]
    concept: Option<String>,
    /// Its host, with a protocol or only the slashes before it.
    server: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Page {
    title: Option<String>,
    pageid: Option<u64>,
    missing: bool,
    revisions: Vec<PageRevision>,
}

#[derive(Deserialize)]
struct Normalized {
    from: String,
    to: String,
}

#[derive(Deserialize)]
struct PageRevision {
    revid: u64,
    timestamp: String,
}

#[derive(Deserialize)]
struct LogEvent {
    action: String,
    timestamp: String,
}

impl Query {
    /// How the wiki writes a title.
    fn named<'t>(&'t self, title: &'t str) -> &'t str {
        self.normalized.iter().find(|pair| pair.from == title).map_or(title, |pair| &pair.to)
    }
}

/// A URI without what stands before its host, and without a last slash: whether it begins with http or https is no difference between
/// wikis.
fn without_protocol(uri: &str) -> &str {
    uri.split_once("//").map_or(uri, |(_, rest)| rest).trim_end_matches('/')
}

/// The values with bars between them, as a part of a URL.
fn listed(values: &[String]) -> String {
    values.iter().map(|value| encoded(value)).collect::<Vec<_>>().join("%7C")
}

/// A value as a part of a URL. Rule: RFC 3986, what is unreserved stays.
fn encoded(value: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let parts =
        value.bytes().map(|byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    parts.collect()
}
