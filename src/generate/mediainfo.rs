//! The structured data of files on Commons.
//!
//! Promise: statements under Commons' own nodes, with Wikidata's properties and items.
//! Invariant: the number of a MediaInfo entity is its page id, so they come in the order of their numbers.

use crate::generate::document::Document;
use crate::generate::languages::{LANGUAGES, WORDS};
use crate::generate::random::Random;
use crate::generate::shapes::{Range, Slot};
use crate::generate::statement::{Sources, fill, write as write_statements};
use crate::generate::value::write_title;

const SLOTS: &[Slot] = &[
    Slot { property: 275, range: Range::Items { from: 18_199_165, size: 12 }, chance: 990, most: 2, numbered: false },
    Slot { property: 6216, range: Range::Items { from: 50_423_863, size: 2 }, chance: 990, most: 1, numbered: false },
    Slot { property: 7482, range: Range::Items { from: 66_458_942, size: 3 }, chance: 900, most: 1, numbered: false },
    Slot { property: 170, range: Range::Items { from: 1, size: 120_000_000 }, chance: 800, most: 1, numbered: false },
    Slot {
        property: 571,
        range: Range::Days { from: 1990, to: 2024, only_year: 9 },
        chance: 900,
        most: 1,
        numbered: false,
    },
    Slot { property: 1259, range: Range::Place, chance: 400, most: 1, numbered: false },
    Slot { property: 180, range: Range::Items { from: 500, size: 90_000 }, chance: 400, most: 6, numbered: false },
    Slot {
        property: 2048,
        range: Range::Amount { most: 80_000, unit: 355_198 },
        chance: 200,
        most: 1,
        numbered: false,
    },
    Slot { property: 4092, range: Range::Name, chance: 100, most: 1, numbered: false },
];

/// Writes the end of the entity-data block and all that follows; [`Document::id`] is the MediaInfo entity.
pub fn write(habits: &mut Random, random: &mut Random, document: &mut Document) {
    document.statements.clear();
    fill(SLOTS, &Sources::new(habits, random), random, &mut document.statements);
    document.text.put(&[" .\n\n"]);
    document.begin();
    document.next();
    document.text.put(&["a wikibase:Mediainfo,\n\t\tschema:MediaObject,\n\t\tschema:ImageObject ;\n\t"]);
    write_file(random, document);
    write_captions(random, document);
    let statements = std::mem::take(&mut document.statements);
    write_statements(&statements, document);
    document.statements = statements;
    document.end();
    document.define_nodes();
}

fn write_file(random: &mut Random, document: &mut Document) {
    let text = &mut document.text;
    text.put(&["schema:encodingFormat \"image/jpeg\" ;\n\tschema:contentUrl <https://upload.wikimedia.org/"]);
    let folder = random.word().into();
    text.put(&["wikipedia/commons/"]);
    text.hex(folder, 1);
    text.put(&["/"]);
    text.hex(folder >> 4 & 0xf | (folder & 0xf) << 4, 2);
    text.put(&["/", random.pick(WORDS), "_", random.pick(WORDS), "_%28"]);
    text.number(random.below(99_999));
    text.put(&["%29.jpg> ;\n\tschema:contentSize "]);
    text.integer(random.below(20_000_000));
    for side in ["height", "width"] {
        text.put(&[" ;\n\tschema:", side, " "]);
        text.integer(400 + random.skewed(8_000));
    }
}

fn write_captions(random: &mut Random, document: &mut Document) {
    for language in LANGUAGES.iter().take(random.skewed(5) as usize) {
        let title = random.word();
        for predicate in ["schema:caption \"", "rdfs:label \""] {
            document.next();
            document.text.put(&[predicate]);
            write_title(title, &mut document.text);
            document.text.put(&["\"@", language.code]);
        }
    }
}
