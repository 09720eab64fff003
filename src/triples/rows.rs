//! Rows of a triples table, packed.
//!
//! Promise: a text that consecutive rows share is kept once.
//! In -> out: cells -> columns sorted by predicate.
//! Invariant: a row group's rows are ordered by predicate, and in the order of the dump for each; so the pages of one predicate
//! lie together, and a query for it reads them alone.

use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::columns::Texts;
use crate::columns::table::TableField;
use crate::rdf::ntriples::{self, Encoding};
use crate::rdf::term::{Iri, Triple};

/// The columns of a triples table. Rule: upstream's Spark import (`rdf-spark-tools`).
pub const FIELDS: [TableField; 4] = [
    TableField { name: "context", looked_up: true },
    TableField { name: "subject", looked_up: true },
    TableField { name: "predicate", looked_up: false },
    TableField { name: "object", looked_up: false },
];

/// A piece of the text of [`Rows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    start: u32,
    end: u32,
}

/// Rows, in the order in which they came.
#[derive(Debug, Default)]
pub struct Rows {
    text: Vec<u8>,
    rows: Vec<[Cell; 4]>,
}

impl Rows {
    /// Keeps what `write` appends, as a cell for any number of rows.
    pub fn cell(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Cell {
        let start = self.text.len() as u32;
        write(&mut self.text);
        Cell { start, end: self.text.len() as u32 }
    }

    /// Drops the cell that was kept last, for another with the same text.
    fn forget(&mut self, last: Cell, known: Cell) -> Cell {
        self.text.truncate(last.start as usize);
        known
    }

    /// Adds a row: context, subject, predicate, object.
    pub fn push(&mut self, row: [Cell; 4]) {
        self.rows.push(row);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A cell's text.
    pub fn text(&self, cell: Cell) -> &[u8] {
        &self.text[cell.start as usize..cell.end as usize]
    }
}

/// Makes rows of triples.
pub struct RowWriter {
    rows: Rows,
    encoding: Encoding,
    hasher: DefaultHashBuilder,
    predicates: HashTable<Cell>,
    /// Of the row before.
    context: Option<Cell>,
    subject: Option<Cell>,
}

impl RowWriter {
    /// A writer whose cells are terms in this encoding.
    pub fn new(encoding: Encoding) -> Self {
        let (hasher, predicates) = (DefaultHashBuilder::default(), HashTable::new());
        Self { rows: Rows::default(), encoding, hasher, predicates, context: None, subject: None }
    }

    /// Adds a row. `again`: its context and subject are those of the row before.
    pub fn triple(&mut self, context: Iri<'_>, triple: &Triple<'_>, again: bool) {
        let encoding = self.encoding;
        let (context, subject) = match (self.context, self.subject) {
            (Some(context), Some(subject)) if again => (context, subject),
            (before, _) => (
                self.again(before, |out| ntriples::iri(out, context, encoding)),
                self.rows.cell(|out| ntriples::term(out, &triple.subject, encoding)),
            ),
        };
        let predicate = self.predicate(triple.predicate);
        let object = self.rows.cell(|out| ntriples::term(out, &triple.object, encoding));
        (self.context, self.subject) = (Some(context), Some(subject));
        self.rows.push([context, subject, predicate, object]);
    }

    /// Adds a line of N-Triples as it stands.
    pub fn line(&mut self, context: &str, line: &[u8]) {
        let mut words = line.trim_ascii_end().splitn(3, |byte| *byte == b' ');
        let mut word = || words.next().unwrap_or_default();
        let (subject, predicate, object) = (word(), word(), word());
        let object = object.strip_suffix(b" .").unwrap_or(object);
        let context = self.again(self.context, |out| ntriples::iri(out, Iri::full(context), Encoding::Utf8));
        let subject = self.again(self.subject, |out| out.extend_from_slice(subject));
        let predicate = self.known(|out| out.extend_from_slice(predicate));
        let object = self.rows.cell(|out| out.extend_from_slice(object));
        (self.context, self.subject) = (Some(context), Some(subject));
        self.rows.push([context, subject, predicate, object]);
    }

    /// The rows.
    pub fn finish(self) -> Rows {
        self.rows
    }

    /// The cell of the row before, if it has this text.
    fn again(&mut self, before: Option<Cell>, write: impl FnOnce(&mut Vec<u8>)) -> Cell {
        let new = self.rows.cell(write);
        match before {
            Some(before) if self.rows.text(before) == self.rows.text(new) => self.rows.forget(new, before),
            _ => new,
        }
    }

    fn predicate(&mut self, predicate: Iri<'_>) -> Cell {
        let encoding = self.encoding;
        self.known(|out| ntriples::iri(out, predicate, encoding))
    }

    /// The one cell that has this text.
    fn known(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Cell {
        let new = self.rows.cell(write);
        let rows = &self.rows;
        let hash = |cell: &Cell| self.hasher.hash_one(rows.text(*cell));
        match self.predicates.entry(hash(&new), |cell| rows.text(*cell) == rows.text(new), hash) {
            Entry::Occupied(known) => {
                let known = *known.get();
                self.rows.forget(new, known)
            }
            Entry::Vacant(entry) => {
                entry.insert(new);
                new
            }
        }
    }
}

/// The columns of a row group.
pub fn columns(pieces: &[Rows]) -> Vec<Texts> {
    let texts: Vec<_> =
        pieces.iter().map(|rows| std::str::from_utf8(&rows.text).expect("terms are written as text")).collect();
    let order = by_predicate(pieces, &texts);
    let column = |at: usize| {
        let cell = |(piece, row): &(u32, u32)| {
            let Cell { start, end } = pieces[*piece as usize].rows[*row as usize][at];
            &texts[*piece as usize][start as usize..end as usize]
        };
        order.iter().map(cell).collect()
    };
    (0..FIELDS.len()).map(column).collect()
}

/// The rows of all pieces (piece, row), sorted by predicate; those of one predicate as they came.
fn by_predicate(pieces: &[Rows], texts: &[&str]) -> Vec<(u32, u32)> {
    // A piece has each predicate in one cell. So texts are compared once for each, and rows by the ranks of theirs.
    let text = |piece: usize, cell: Cell| &texts[piece][cell.start as usize..cell.end as usize];
    let mut ranks: Vec<HashMap<u32, u32>> = vec![HashMap::new(); pieces.len()];
    let mut cells = Vec::new();
    for (piece, rows) in pieces.iter().enumerate() {
        for row in &rows.rows {
            if ranks[piece].insert(row[PREDICATE].start, 0).is_none() {
                cells.push((piece, row[PREDICATE]));
            }
        }
    }
    cells.sort_by_key(|(piece, cell)| text(*piece, *cell));
    let mut rank = 0;
    for at in 0..cells.len() {
        let (piece, cell) = cells[at];
        if at > 0 && text(cells[at - 1].0, cells[at - 1].1) != text(piece, cell) {
            rank += 1;
        }
        ranks[piece].insert(cell.start, rank);
    }
    let mut order: Vec<(u32, u32, u32)> = Vec::with_capacity(pieces.iter().map(Rows::len).sum());
    for (piece, rows) in pieces.iter().enumerate() {
        let row = |(at, row): (usize, &[Cell; 4])| (ranks[piece][&row[PREDICATE].start], piece as u32, at as u32);
        order.extend(rows.rows.iter().enumerate().map(row));
    }
    order.sort_unstable();
    order.into_iter().map(|(_, piece, row)| (piece, row)).collect()
}

/// The predicate's place in a row.
const PREDICATE: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_by_predicate_and_otherwise_as_they_came() {
        let piece = |lines: &[&str]| {
            let mut rows = RowWriter::new(Encoding::Utf8);
            lines.iter().for_each(|line| rows.line("http://c", line.as_bytes()));
            rows.finish()
        };
        let pieces = [
            piece(&["<s> <p2> \"a b .\" .\n", "<s> <p1> \"b\" .\n", "<t> <p2> <c> .\n"]),
            piece(&["<u> <p0> <d> .\n", "<u> <p2> <e> .\n"]),
        ];
        let columns = columns(&pieces);
        let column = |at: usize| columns[at].iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(column(0), ["<http://c>"; 5]);
        assert_eq!(column(1), ["<u>", "<s>", "<s>", "<t>", "<u>"]);
        assert_eq!(column(2), ["<p0>", "<p1>", "<p2>", "<p2>", "<p2>"]);
        assert_eq!(column(3), ["<d>", "\"b\"", "\"a b .\"", "<c>", "<e>"]);
    }
}
