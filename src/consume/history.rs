//! Who said last what an article is, as a sitelink moves from one entity to another.
//!
//! Promise: what an older change says of an article does not replace what a newer one of another entity said.
//! Invariant: bounded: of the articles that were said something of last. A stream is in order within an entity, not between two: that an
//! item gets a sitelink may come long after another one got the same later.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::consume::triples::Line;
use crate::wikibase::entity::EntityId;

/// How many articles are remembered: those of some hours.
const MOST: usize = 100_000;

/// What is remembered.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By article: when an entity got it last, in milliseconds since 1970, and which.
    gained: HashMap<Line, (i64, EntityId)>,
    order: VecDeque<Line>,
}

impl History {
    /// An entity gets an article at that time. Whether that is the newest that is known, so that what it says counts.
    pub fn take(&mut self, article: &str, entity: EntityId, time: i64) -> bool {
        if let Some((newest, owner)) = self.gained.get_mut(article) {
            let is_newest = time >= *newest || *owner == entity;
            if is_newest {
                (*newest, *owner) = (time, entity);
            }
            return is_newest;
        }
        self.gained.insert(article.into(), (time, entity));
        self.order.push_back(article.into());
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.gained.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_counts_and_the_oldest_are_forgotten() {
        let [q1, q2] = [b"Q1", b"Q2"].map(|id| EntityId::parse(id).unwrap());
        let mut history = History::default();
        let rows = [
            (q1, 10, true),
            (q2, 5, false),
            (q2, 10, true),
            (q1, 9, false),
            (q2, 3, true),
            (q1, 3, true),
            (q2, 2, false),
        ];
        for (entity, time, expected) in rows {
            assert_eq!(history.take("<a>", entity, time), expected, "{entity} {time}");
        }
        for article in 0..MOST {
            history.take(&article.to_string(), q1, 0);
        }
        assert_eq!((history.gained.len(), history.order.len()), (MOST, MOST));
        assert!(history.take("<a>", q2, 0), "it is forgotten");
    }
}
