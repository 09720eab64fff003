//! Lexemes with their forms and senses.
//!
//! Promise: forms and senses follow their lexeme, each with statements of its own.
//! Invariant: a form or sense has no entity-data block.

use crate::generate::document::Document;
use crate::generate::item::count;
use crate::generate::languages::{LANGUAGES, Language, WORDS};
use crate::generate::names::Name;
use crate::generate::random::Random;
use crate::generate::shapes::{IdShape, Range, Slot};
use crate::generate::statement::{Sources, fill, write as write_statements};

const DICTIONARY: IdShape = IdShape { before: "", count: 999_999, after: "", uri: None };

const LEXEME: &[Slot] = &[
    Slot { property: 5185, range: Range::Items { from: 499_327, size: 6 }, chance: 300, most: 1, numbered: false },
    Slot { property: 5275, range: Range::Id(&DICTIONARY), chance: 500, most: 1, numbered: false },
    Slot { property: 5831, range: Range::Title, chance: 200, most: 2, numbered: false },
];
const FORM: &[Slot] = &[Slot { property: 898, range: Range::Name, chance: 120, most: 1, numbered: false }];
const SENSE: &[Slot] = &[
    Slot { property: 5137, range: Range::AnyItem, chance: 700, most: 1, numbered: false },
    Slot { property: 5972, range: Range::AnyItem, chance: 200, most: 4, numbered: false },
];

/// Writes the entity-data block's last lines and all that follows; [`Document::id`] is the lexeme.
pub fn write(habits: &mut Random, random: &mut Random, document: &mut Document) {
    let language = &LANGUAGES[habits.skewed(LANGUAGES.len() as u32) as usize];
    let lemma = Name::new(random.word() & !15);
    let forms = 1 + habits.skewed(24);
    let senses = random.below(3);
    count_statements(LEXEME, habits, random, document);
    document.begin();
    document.next();
    document.text.put(&["a wikibase:Lexeme,\n\t\tontolex:LexicalEntry"]);
    for predicate in ["rdfs:label", "wikibase:lemma"] {
        literal(predicate, lemma, language, document);
    }
    document.text.put(&[" ;\n\tdct:language wd:Q"]);
    document.text.number(1860 + random.skewed(9_000));
    document.text.put(&[" ;\n\twikibase:lexicalCategory wd:Q"]);
    document.text.number(1084 + random.skewed(20) * 50);
    let lexeme = document.id.clone();
    parts("ontolex:lexicalForm", &lexeme, "-F", forms, document);
    parts("ontolex:sense", &lexeme, "-S", senses, document);
    finish(document);
    for form in 1..=forms {
        document.id = format!("{lexeme}-F{form}");
        write_form(lemma, language, habits, random, document);
    }
    for sense in 1..=senses {
        document.id = format!("{lexeme}-S{sense}");
        write_sense(habits, random, document);
    }
    document.id = lexeme;
    document.define_nodes();
}

fn count_statements(slots: &[Slot], habits: &mut Random, random: &mut Random, document: &mut Document) {
    make(slots, habits, random, document);
    count("statements", document.statements.len(), document);
    document.text.put(&[" .\n\n"]);
}

fn make(slots: &[Slot], habits: &mut Random, random: &mut Random, document: &mut Document) {
    document.statements.clear();
    fill(slots, &Sources::new(habits, random), random, &mut document.statements);
}

/// Writes the statements and ends the sentence.
fn finish(document: &mut Document) {
    let statements = std::mem::take(&mut document.statements);
    write_statements(&statements, document);
    document.statements = statements;
    document.end();
}

fn literal(predicate: &str, name: Name, language: &Language, document: &mut Document) {
    document.next();
    document.text.put(&[predicate, " \""]);
    name.write(language.script, &mut document.text);
    document.text.put(&["\"@", language.code]);
}

fn parts(predicate: &str, lexeme: &str, mark: &str, number: u32, document: &mut Document) {
    for part in 1..=number {
        if part == 1 {
            document.next();
            document.text.put(&[predicate, " "]);
        } else {
            document.text.put(&[",\n\t\t"]);
        }
        document.text.put(&[document.nodes.entity, lexeme, mark]);
        document.text.number(part);
    }
}

fn write_form(lemma: Name, language: &Language, habits: &mut Random, random: &mut Random, document: &mut Document) {
    let form = lemma.inflected(random.word());
    document.begin();
    document.next();
    document.text.put(&["a wikibase:Form,\n\t\tontolex:Form"]);
    for predicate in ["rdfs:label", "ontolex:representation"] {
        literal(predicate, form, language, document);
    }
    for feature in 0..=random.below(3) {
        document.text.put(&[if feature == 0 { " ;\n\twikibase:grammaticalFeature wd:Q" } else { ",\n\t\twd:Q" }]);
        document.text.number(110_786 + random.skewed(60) * 600);
    }
    make(FORM, habits, random, document);
    finish(document);
}

fn write_sense(habits: &mut Random, random: &mut Random, document: &mut Document) {
    document.begin();
    document.next();
    document.text.put(&["a wikibase:Sense,\n\t\tontolex:LexicalSense"]);
    let words = [random.pick(WORDS), random.pick(WORDS), random.pick(WORDS)];
    for predicate in ["rdfs:label \"", "skos:definition \""] {
        document.next();
        document.text.put(&[predicate, words[0], " ", words[1], " \\\"", words[2], "\\\"\"@en"]);
    }
    make(SENSE, habits, random, document);
    finish(document);
}
