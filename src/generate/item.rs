//! Items.
//!
//! Promise: sitelinks, claims, statements, terms and nodes in the order and spacing of Wikibase's dumps.
//! Invariant: the entity-data block says as many sitelinks, statements and identifiers as follow.

use crate::generate::document::Document;
use crate::generate::languages::{LANGUAGES, Language};
use crate::generate::names::Name;
use crate::generate::random::{Random, mix};
use crate::generate::shapes::{CLASSES, Class};
use crate::generate::statement::{Sources, fill, write as write_statements};
use crate::generate::traps::TRAPS;
use crate::generate::value::write_title;

/// The name or title of an item.
#[derive(Clone, Copy, Debug)]
struct Subject {
    name: Name,
    title: Option<u64>,
}

/// A page of a Wikimedia project.
#[derive(Clone, Copy, Debug)]
struct Sitelink {
    language: &'static Language,
    project: &'static str,
}

/// Writes the entity-data block's last lines and all that follows; [`Document::id`] is the item.
///
/// Neighbours were made by the same people or programs, so `habits` are the same for all of them: most follow these.
pub fn write(mut habits: Random, random: &mut Random, document: &mut Document) {
    if random.chance(150) {
        habits = Random::new(random.word(), 4);
    }
    let class = class(&mut habits);
    let subject = Subject { name: Name::new(random.word()), title: class.titled.then(|| random.word()) };
    let sitelinks = sitelinks(class, random);
    let mut statements = std::mem::take(&mut document.statements);
    statements.clear();
    fill(class.slots, &Sources::new(&mut habits, random), random, &mut statements);
    let identifiers = statements.iter().filter(|statement| statement.is_identifier()).count();
    count("sitelinks", sitelinks.len(), document);
    count("statements", statements.len(), document);
    count("identifiers", identifiers, document);
    document.text.put(&[" .\n\n", document.nodes.entity, &document.id, " a wikibase:Item .\n\n"]);
    for sitelink in sitelinks {
        write_sitelink(sitelink, subject, random, document);
    }
    document.begin();
    write_statements(&statements, document);
    document.statements = statements;
    document.end();
    write_terms(class, subject, &mut habits, random, document);
    document.define_nodes();
}

/// Appends `wikibase:statements "7"^^xsd:integer` and the like.
pub fn count(what: &str, count: usize, document: &mut Document) {
    document.text.put(&[" ;\n\twikibase:", what, " "]);
    document.text.integer(count);
}

fn class(random: &mut Random) -> &'static Class {
    let mut rest = random.below(1024);
    for class in CLASSES {
        if rest < class.share {
            return class;
        }
        rest -= class.share;
    }
    &CLASSES[0]
}

fn sitelinks(class: &Class, random: &mut Random) -> Vec<Sitelink> {
    let mut languages = vec![false; LANGUAGES.len()];
    (0..random.skewed(class.sitelinks + 1))
        .filter_map(|_| {
            let at = random.skewed(LANGUAGES.len() as u32) as usize;
            let project = if random.chance(900) { "wikipedia" } else { "wikivoyage" };
            let is_new = !std::mem::replace(&mut languages[at], true);
            is_new.then_some(Sitelink { language: &LANGUAGES[at], project })
        })
        .collect()
}

fn write_sitelink(sitelink: Sitelink, subject: Subject, random: &mut Random, document: &mut Document) {
    let Sitelink { language: Language { code, script }, project } = sitelink;
    let Document { text, nodes, id, .. } = document;
    text.put(&["<https://", code, ".", project, ".org/wiki/"]);
    let start = text.0.len();
    subject.name.write(*script, text);
    text.percent(start);
    text.put(&["> a schema:Article ;\n\tschema:about ", nodes.entity, id, " ;\n\tschema:inLanguage \"", code]);
    text.put(&["\" ;\n\tschema:isPartOf <https://", code, ".", project, ".org/> ;\n\tschema:name \""]);
    subject.name.write(*script, text);
    text.put(&["\"@", code]);
    if random.chance(20) {
        text.put(&[" ;\n\twikibase:badge wd:Q17437796"]);
    }
    text.put(&[" .\n\n"]);
    let key = code.bytes().chain(project.bytes()).fold(0, |key, byte| mix(key ^ u64::from(byte)));
    if document.is_new(key) {
        document.text.put(&["<https://", code, ".", project, ".org/> wikibase:wikiGroup \"", project, "\" .\n\n"]);
    }
}

fn write_terms(class: &Class, subject: Subject, habits: &mut Random, random: &mut Random, document: &mut Document) {
    document.begin();
    let labels = 1 + habits.below(class.labels) as usize + random.skewed(4) as usize;
    for language in LANGUAGES.iter().take(labels) {
        write_label(language, subject, random, document);
    }
    let described = habits.below(class.descriptions.len() as u32 * 3);
    for (at, (code, description)) in class.descriptions.iter().take(described as usize).enumerate() {
        if at == 0 {
            document.next();
            document.text.put(&["schema:description \""]);
        } else {
            document.text.put(&[",\n\t\t\""]);
        }
        document.text.put(&[description, "\"@", code]);
    }
    write_aliases(class, subject, random, document);
    document.end();
}

/// Writes a label, three times as Wikibase does.
fn write_label(language: &Language, subject: Subject, random: &mut Random, document: &mut Document) {
    // Transliterations vary between languages that share a script, now and then.
    let name = if random.chance(10) { subject.name.other(random.word()) } else { subject.name };
    let mut label = 0..0;
    for (at, predicate) in ["rdfs:label \"", "skos:prefLabel \"", "schema:name \""].into_iter().enumerate() {
        document.next();
        document.text.put(&[predicate]);
        if at == 0 {
            let start = document.text.0.len();
            match subject.title {
                Some(title) => write_title(title, &mut document.text),
                None => name.write(language.script, &mut document.text),
            }
            document.text.put(&["\"@", language.code]);
            label = start..document.text.0.len();
        } else {
            document.text.0.extend_from_within(label.clone());
        }
    }
}

fn write_aliases(class: &Class, subject: Subject, random: &mut Random, document: &mut Document) {
    if class.titled || !random.chance(400) {
        return;
    }
    document.next();
    document.text.put(&["skos:altLabel \""]);
    for alias in 0..=random.skewed(8) {
        document.text.put(&[if alias == 0 { "" } else { ",\n\t\t\"" }]);
        let language = &LANGUAGES[random.skewed(40) as usize];
        if random.chance(30) {
            document.text.escaped(random.pick(TRAPS));
        } else {
            subject.name.other(alias.into()).write(language.script, &mut document.text);
        }
        document.text.put(&["\"@", language.code]);
    }
}
