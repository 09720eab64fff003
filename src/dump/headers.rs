//! The headers of a dump: when was it begun?
//!
//! Promise: the oldest date of all headers, which is the time from which the stream must be followed.
//! In -> out: facts in document order -> [`Headers`].
//! Invariant: a header is everything said of `wikibase:Dump` from one `a schema:Dataset` to the next, so that N-Triples,
//! which say it in several statements, count like Turtle. Rule: upstream's `set_initial_offsets.py`, "order by ascending".

use crate::dump::facts::Fact;
use crate::wikibase::timestamp::Timestamp;

/// The headers of one file, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Every date, in document order.
    pub dates: Vec<Timestamp>,
    /// How many headers there are.
    pub count: u64,
    /// How many of them have a date.
    pub dated: u64,
    /// Whether the header now being read has its date already.
    open: Option<bool>,
    /// The date of the document now being read.
    current: Option<Timestamp>,
}

impl Headers {
    /// Headers of which no more is known than their dates.
    pub fn of_dates(dates: Vec<Timestamp>) -> Self {
        let count = dates.len() as u64;
        Self { dates, count, dated: count, open: None, current: None }
    }

    /// Takes the next fact of a document.
    pub fn take(&mut self, fact: &Fact) {
        match fact {
            Fact::Header => self.begin(),
            Fact::HeaderDate(date) => {
                if self.open.is_none() {
                    self.begin();
                }
                if self.open == Some(false) {
                    self.dated += 1;
                }
                self.open = Some(true);
                self.current = Some(*date);
                self.dates.push(*date);
            }
            Fact::Revision(..) => self.open = None,
            Fact::Redirect(_) | Fact::HeaderFormat(_) | Fact::Foreign(_) | Fact::Bad(_) | Fact::Unfinished(_) => {}
        }
    }

    fn begin(&mut self) {
        self.count += 1;
        self.open = Some(false);
        self.current = None;
    }

    /// Adds the headers of another file.
    pub fn extend(&mut self, other: &Self) {
        self.dates.extend(&other.dates);
        self.count += other.count;
        self.dated += other.dated;
        (self.open, self.current) = (None, None);
    }

    /// When the document was begun that is being read, if its header says so.
    pub fn current(&self) -> Option<Timestamp> {
        self.current
    }

    /// The oldest date: the dump start.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.dates.iter().min().copied()
    }

    /// The newest date.
    pub fn newest(&self) -> Option<Timestamp> {
        self.dates.iter().max().copied()
    }

    /// How many headers have no date.
    pub fn undated(&self) -> u64 {
        self.count - self.dated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wikibase::entity::{EntityId, Revision};

    #[test]
    fn headers_are_counted_in_turtle_and_in_n_triples() {
        let date = |second: u8| Fact::HeaderDate(Timestamp::parse(&format!("2020-03-02T23:00:{second:02}Z")).unwrap());
        let entity = || Fact::Revision(EntityId::parse(b"Q1").unwrap(), Revision::new(1).unwrap());
        let rows = [
            (vec![], 0, 0, None),
            (vec![Fact::Header, date(2)], 1, 0, Some(2)),
            (vec![Fact::Header, date(2), entity(), Fact::Header, date(1)], 2, 0, Some(1)),
            (vec![Fact::Header, date(2), Fact::Header, date(3)], 2, 0, Some(2)),
            (vec![date(2), entity(), date(1), entity()], 2, 0, Some(1)),
            (vec![Fact::Header, entity(), Fact::Header, date(5)], 2, 1, Some(5)),
            (vec![Fact::Header, Fact::Header], 2, 2, None),
        ];
        for (facts, count, undated, oldest) in rows {
            let mut headers = Headers::default();
            facts.iter().for_each(|fact| headers.take(fact));
            let oldest = oldest.map(|second| Timestamp::parse(&format!("2020-03-02T23:00:{second:02}Z")).unwrap());
            assert_eq!((headers.count, headers.undated(), headers.oldest()), (count, undated, oldest), "{facts:?}");
        }
    }
}
