//! Is this input fit to start an updater from?
//!
//! Promise: a run that would lose updates without anyone noticing is refused, or warned about by name.
//! In -> out: what was gathered -> warnings, or a refusal. Pure.

use crate::bootstrap::gather::{FileFacts, Gathered};
use crate::dump::headers::Headers;
use crate::wikibase::entity::EntityKind;
use crate::wikibase::timestamp::Timestamp;

/// A file older than the newest by more than this is probably last week's.
const STALE_DAYS: i64 = 10;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Why the input cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing at all in a file, or no entity in a revision map.
    #[error("{file} is empty")]
    Empty {
        /// The file.
        file: String,
    },
    /// No entity-data subject with a version in a file.
    #[error("{file} holds no revision of any entity of {wiki}")]
    NoRevisions {
        /// The file.
        file: String,
        /// The entity-data namespace looked for.
        wiki: String,
        /// How much was skipped in it.
        skipped: u64,
        /// The first subject that has a version, where the file describes another wiki.
        foreign: Option<String>,
    },
}

/// Refuses a file without any revision: a truthy dump, another wiki's, or no dump at all.
pub fn refuse(gathered: &Gathered, entity_data: &str) -> Result<(), Refusal> {
    match gathered.files.iter().find(|file| file.revisions == 0) {
        None => Ok(()),
        Some(file) if file.text.offset == 0 || file.headers.is_none() => {
            Err(Refusal::Empty { file: file.name.clone() })
        }
        Some(file) => Err(Refusal::NoRevisions {
            file: file.name.clone(),
            wiki: entity_data.to_owned(),
            skipped: file.skipped,
            foreign: file.foreign_example.as_deref().map(str::to_owned),
        }),
    }
}

/// What looks wrong at the time `now` without being surely so. `wikidata`: the chosen wiki is Wikidata, whose lexemes are a dump of their own.
pub fn warnings(gathered: &Gathered, wikidata: bool, now: Timestamp) -> Vec<String> {
    let mut warnings = Vec::new();
    let dumps = gathered.files.iter().any(|file| file.headers.is_some());
    if wikidata && dumps && gathered.table.count(EntityKind::Lexeme).created == 0 {
        warnings.push(
            "no lexemes: they come in a dump of their own (wikidata-…-lexemes-BETA); give it as another --dump"
                .to_owned(),
        );
    }
    if let Some(newest) = gathered.headers().newest().filter(|newest| *newest > now) {
        warnings.push(format!("a dump header says {newest}, which is yet to come: is the clock right, here or there?"));
    }
    warnings.extend(gathered.files.iter().flat_map(|file| about(file, newest_start(gathered))));
    if gathered.skipped_count > 0 {
        warnings.push(format!(
            "{} skipped: they are not in the state and the updater will not know them",
            gathered.skipped_count
        ));
    }
    warnings
}

fn newest_start(gathered: &Gathered) -> Option<Timestamp> {
    gathered.files.iter().filter_map(|file| file.headers.as_ref()?.oldest()).max()
}

fn about(file: &FileFacts, newest: Option<Timestamp>) -> Vec<String> {
    let mut warnings = Vec::new();
    let name = &file.name;
    if let Some(headers) = &file.headers {
        warnings.extend(about_headers(name, headers, newest));
    }
    if name.contains("truthy") {
        warnings.push(format!("{name} is named like a truthy dump, which lacks most statements"));
    }
    if file.foreign > 0 {
        let example = file.foreign_example.as_deref().unwrap_or_default();
        warnings
            .push(format!("{name}: {} versions of something else were passed over, such as {example}", file.foreign));
    }
    warnings
}

fn about_headers(name: &str, headers: &Headers, newest: Option<Timestamp>) -> Option<String> {
    let (count, undated) = (headers.count, headers.undated());
    match headers.oldest().zip(newest) {
        _ if count == 0 => Some(format!("{name} has no dump header: when it was begun is not known")),
        _ if undated > 0 => Some(format!(
            "{name}: {undated} of {count} dump headers have no date: it may have begun before the start time given here"
        )),
        Some((own, newest)) if newest.millis() - own.millis() > STALE_DAYS * DAY_MILLIS => Some(format!(
            "{name} was begun {} days before the newest file ({own}, {newest}): is it last week's?",
            (newest.millis() - own.millis()) / DAY_MILLIS
        )),
        _ => None,
    }
}
