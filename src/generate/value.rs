//! Values, as they stand in claims and as nodes of their own.
//!
//! Promise: the same value is always spelled the same way and its node always has the same name, as hashes do.
//! Invariant: a value is small and `Copy`; long ones are numbers from which their text is made when written.

use crate::generate::document::Document;
use crate::generate::languages::WORDS;
use crate::generate::names::{LATIN, Name};
use crate::generate::random::{Random, mix};
use crate::generate::shapes::{IdShape, Range};
use crate::generate::turtle::Turtle;

/// The value of a statement or qualifier.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// An item.
    Item(u32),
    /// An identifier elsewhere.
    Id(&'static IdShape, u64),
    /// A day; month and day are 0 where only the year is known.
    Day(i32, u8, u8),
    /// Hundredths of a unit.
    Amount(u32, u32),
    /// Hundred-thousandths of a degree: latitude, longitude.
    Place(i32, i32),
    /// A title in English.
    Title(u64),
    /// A name as plain text.
    Name(Name),
    /// A web page.
    Page(u64),
    /// A file on Commons.
    File(u64),
    /// There is one, but which is not known.
    Unknown,
    /// There is none.
    None,
}

/// 128 bits that depend on `word`.
pub fn wide(word: u64) -> u128 {
    u128::from(mix(word)) << 64 | u128::from(mix(word ^ 0x5bd1))
}

/// A day that is `number` days or so before the end of 2023.
pub fn recent_day(number: u32) -> (i32, u8, u8) {
    (2023 - (number / 336) as i32, (number / 28 % 12) as u8 + 1, (number % 28) as u8 + 1)
}

impl Value {
    /// A value in that range.
    pub fn new(range: Range, random: &mut Random) -> Self {
        match range {
            Range::Items { from, size } => Self::Item(from + random.skewed(size)),
            Range::AnyItem => Self::Item(1 + random.skewed(120_000_000)),
            Range::Days { from, to, only_year } => {
                let year = to - 1 - random.skewed((to - from) as u32) as i32;
                let exact = random.below(only_year) > 0;
                let (month, day) = (random.below(12) as u8 + 1, random.below(28) as u8 + 1);
                if exact { Self::Day(year, month, day) } else { Self::Day(year, 0, 0) }
            }
            Range::Amount { most, unit } => Self::Amount(random.skewed(most), unit),
            Range::Place => {
                Self::Place(random.below(16_000_000) as i32 - 8_000_000, random.below(35_999_999) as i32 - 17_999_999)
            }
            Range::Id(shape) => Self::Id(shape, random.word() % shape.count),
            Range::Title => Self::Title(random.word()),
            Range::Name => Self::Name(Name::new(random.word())),
            Range::Page => Self::Page(random.word()),
            Range::File => Self::File(random.word()),
        }
    }

    /// The name of the value node, for values that have one.
    pub fn hash(self) -> Option<u128> {
        let word = match self {
            Self::Day(year, month, day) => (year as u64) << 16 | u64::from(month) << 8 | u64::from(day) | 1 << 60,
            Self::Amount(hundredths, unit) => u64::from(hundredths) << 32 | u64::from(unit),
            Self::Place(latitude, longitude) => (latitude as u64) << 32 ^ (longitude as u32 as u64) ^ 3 << 60,
            _ => return None,
        };
        Some(wide(word))
    }

    /// Whether the value node has a second name for the value in base units.
    pub fn is_normalized(self) -> bool {
        matches!(self, Self::Amount(_, unit) if unit != 199)
    }

    /// Appends the value itself; `unknown` names the blank node for a value that is not known.
    pub fn write(self, unknown: u128, out: &mut Turtle) {
        match self {
            Self::Item(number) => {
                out.put(&["wd:Q"]);
                out.number(number);
            }
            Self::Id(shape, number) => write_id(shape, number, out),
            Self::Day(year, month, day) => out.date_time((year, month.max(1), day.max(1)), (0, 0, 0)),
            Self::Amount(hundredths, _) => write_amount(hundredths, out),
            Self::Place(latitude, longitude) => {
                out.put(&["\"Point("]);
                write_degrees(longitude, out);
                out.put(&[" "]);
                write_degrees(latitude, out);
                out.put(&[")\"^^geo:wktLiteral"]);
            }
            Self::Title(seed) => {
                out.put(&["\""]);
                write_title(seed, out);
                out.put(&["\"@en"]);
            }
            Self::Name(name) => {
                out.put(&["\""]);
                name.write(LATIN, out);
                out.put(&["\""]);
            }
            Self::Page(seed) => write_page(seed, out),
            Self::File(seed) => write_file(seed, out),
            Self::Unknown => {
                out.put(&["_:"]);
                out.hex(unknown, 32);
            }
            Self::None => {}
        }
    }

    /// Appends the node that says all there is to say of the value.
    pub fn write_node(self, hash: u128, document: &mut Document) {
        let Document { text, nodes, .. } = document;
        text.put(&[nodes.value]);
        text.hex(hash, 32);
        match self {
            Self::Day(year, month, day) => write_day_node(year, month, day, text),
            Self::Amount(hundredths, unit) => write_amount_node(hundredths, unit, text),
            Self::Place(latitude, longitude) => write_place_node(latitude, longitude, text),
            _ => {}
        }
        if self.is_normalized() {
            text.put(&[" ;\n\twikibase:quantityNormalized ", nodes.value]);
            text.hex(hash, 32);
        }
        text.put(&[" .\n\n"]);
    }
}

fn write_day_node(year: i32, month: u8, day: u8, out: &mut Turtle) {
    let precision = if month == 0 { "9" } else { "11" };
    out.put(&[" a wikibase:TimeValue ;\n\twikibase:timeValue "]);
    out.date_time((year, month.max(1), day.max(1)), (0, 0, 0));
    out.put(&[" ;\n\twikibase:timePrecision \"", precision]);
    out.put(&["\"^^xsd:integer ;\n\twikibase:timeTimezone \"0\"^^xsd:integer ;\n\t"]);
    out.put(&["wikibase:timeCalendarModel <http://www.wikidata.org/entity/Q1985727>"]);
}

fn write_amount_node(hundredths: u32, unit: u32, out: &mut Turtle) {
    out.put(&[" a wikibase:QuantityValue ;\n\twikibase:quantityAmount "]);
    write_amount(hundredths, out);
    out.put(&[" ;\n\twikibase:quantityUnit <http://www.wikidata.org/entity/Q"]);
    out.number(unit);
    out.put(&[">"]);
}

fn write_place_node(latitude: i32, longitude: i32, out: &mut Turtle) {
    out.put(&[" a wikibase:GlobecoordinateValue ;\n\twikibase:geoLatitude \""]);
    write_degrees(latitude, out);
    out.put(&["\"^^xsd:double ;\n\twikibase:geoLongitude \""]);
    write_degrees(longitude, out);
    out.put(&["\"^^xsd:double ;\n\twikibase:geoPrecision \"0.00027777777777778\"^^xsd:double ;\n\t"]);
    out.put(&["wikibase:geoGlobe <http://www.wikidata.org/entity/Q2>"]);
}

fn write_amount(hundredths: u32, out: &mut Turtle) {
    out.put(&["\"+"]);
    out.number(hundredths / 100);
    if !hundredths.is_multiple_of(100) {
        out.put(&["."]);
        out.two((hundredths % 100) as u8);
    }
    out.put(&["\"^^xsd:decimal"]);
}

fn write_degrees(value: i32, out: &mut Turtle) {
    if value < 0 {
        out.put(&["-"]);
    }
    out.number(value.unsigned_abs() / 100_000);
    out.put(&["."]);
    let digits = value.unsigned_abs() % 100_000;
    out.number(digits / 1_000);
    out.two((digits / 10 % 100) as u8);
}

fn write_id(shape: &IdShape, number: u64, out: &mut Turtle) {
    out.put(&["\"", shape.before]);
    out.number(number);
    out.put(&[shape.after, "\""]);
}

/// Appends a title of five to twelve words.
pub fn write_title(seed: u64, out: &mut Turtle) {
    let mut random = Random::new(seed, 0);
    let start = out.0.len();
    for word in 0..5 + random.below(8) {
        out.put(&[if word == 0 { "" } else { " " }, random.pick(WORDS)]);
    }
    out.0[start].make_ascii_uppercase();
}

/// Appends the address of a web page.
pub fn write_page(seed: u64, out: &mut Turtle) {
    let mut random = Random::new(seed, 1);
    out.put(&["<https://www.", random.pick(WORDS), ".example.org/", random.pick(WORDS), "/"]);
    out.put(&[random.pick(WORDS), "-", random.pick(WORDS), "?id="]);
    out.number(random.skewed(900_000));
    out.put(&[">"]);
}

fn write_file(seed: u64, out: &mut Turtle) {
    let mut random = Random::new(seed, 2);
    out.put(&["<http://commons.wikimedia.org/wiki/Special:FilePath/", random.pick(WORDS), "%20", random.pick(WORDS)]);
    out.put(&["%20%28"]);
    out.number(random.below(9_999));
    out.put(&["%29.jpg>"]);
}
