//! Entity ids and revisions as numbers.
//!
//! Promise: an [`EntityId`] is 8 bytes, `Copy`, and sorts by kind, then by number (`Q9` before `Q10`).
//! Invariant: `parse` and `Display` are inverse to each other.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

/// The kinds of entity a Wikibase dump holds, in the order in which state is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// `Q…`
    Item,
    /// `P…`
    Property,
    /// `L…`
    Lexeme,
    /// `M…`, the structured data of a file on Commons; the number is the page id.
    MediaInfo,
}

impl EntityKind {
    /// Every kind, in sorting order.
    pub const ALL: [Self; 4] = [Self::Item, Self::Property, Self::Lexeme, Self::MediaInfo];

    /// The letter that ids of this kind begin with.
    pub const fn letter(self) -> char {
        match self {
            Self::Item => 'Q',
            Self::Property => 'P',
            Self::Lexeme => 'L',
            Self::MediaInfo => 'M',
        }
    }

    /// The kind whose ids begin with `letter`.
    pub const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'Q' => Some(Self::Item),
            b'P' => Some(Self::Property),
            b'L' => Some(Self::Lexeme),
            b'M' => Some(Self::MediaInfo),
            _ => None,
        }
    }

    /// What people call entities of this kind, in the plural.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Item => "items",
            Self::Property => "properties",
            Self::Lexeme => "lexemes",
            Self::MediaInfo => "mediainfo",
        }
    }
}

/// The id of an entity: its kind and its number, as in `Q42`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId {
    kind: EntityKind,
    number: NonZeroU32,
}

/// Why a text is no entity id. Rules: Wikibase data model, `ItemId`, `NumericPropertyId`, `LexemeId`, `MediaInfoId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntityIdError {
    /// The first letter is none of Q, P, L, M.
    #[error("an entity id begins with Q, P, L or M")]
    Kind,
    /// Something other than digits follows, or a leading zero, or nothing.
    #[error("the letter of an entity id is followed by a number without leading zeros")]
    Number,
    /// The number is larger than Wikibase allows.
    #[error("the number of an entity id is at most 2147483647")]
    TooLarge,
}

impl EntityId {
    /// The largest number an id can have (Wikibase checks against a signed 32-bit integer).
    pub const MAX_NUMBER: u32 = i32::MAX as u32;

    /// The id of that kind and number; `None` where the number is 0 or above [`Self::MAX_NUMBER`].
    pub const fn new(kind: EntityKind, number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) if number.get() <= Self::MAX_NUMBER => Some(Self { kind, number }),
            _ => None,
        }
    }

    /// Reads an id such as `Q42`, `P31`, `L4696` or `M6580719`; nothing may stand before or after it.
    pub fn parse(text: &[u8]) -> Result<Self, EntityIdError> {
        let (letter, digits) = text.split_first().ok_or(EntityIdError::Kind)?;
        let kind = EntityKind::from_letter(*letter).ok_or(EntityIdError::Kind)?;
        if digits.first().is_none_or(|first| !(b'1'..=b'9').contains(first)) {
            return Err(EntityIdError::Number);
        }
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(EntityIdError::Number);
        }
        let number = decimal(digits).ok_or(EntityIdError::TooLarge)?;
        let number = u32::try_from(number).map_err(|_| EntityIdError::TooLarge)?;
        Self::new(kind, number).ok_or(EntityIdError::TooLarge)
    }

    /// What kind of entity this is.
    pub const fn kind(self) -> EntityKind {
        self.kind
    }

    /// The number after the letter.
    pub const fn number(self) -> u32 {
        self.number.get()
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.letter(), self.number)
    }
}

/// A MediaWiki revision id: a positive number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(NonZeroU64);

/// Why a text or a number is no revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevisionError {
    /// Not a decimal number.
    #[error("a revision is a decimal number")]
    NotANumber,
    /// Zero or negative. Upstream's map generator writes -1 where it could not read a version.
    #[error("a revision is greater than 0")]
    NotPositive,
    /// Larger than [`Revision::MAX`].
    #[error("a revision is at most 4611686018427387903")]
    TooLarge,
}

impl Revision {
    /// The largest revision: one bit less than a positive `i64`, so that state keeps it and its status in 8 bytes.
    pub const MAX: u64 = (1 << 62) - 1;

    /// The revision of that number, if there can be one.
    pub const fn new(number: u64) -> Result<Self, RevisionError> {
        match NonZeroU64::new(number) {
            None => Err(RevisionError::NotPositive),
            Some(_) if number > Self::MAX => Err(RevisionError::TooLarge),
            Some(number) => Ok(Self(number)),
        }
    }

    /// Reads a decimal number with an optional sign, as `xsd:integer` allows (`7`, `+7`, `007`).
    pub fn parse(text: &[u8]) -> Result<Self, RevisionError> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(RevisionError::NotANumber);
        }
        if negative {
            return Err(RevisionError::NotPositive);
        }
        let significant = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
        Self::new(decimal(&digits[significant..]).ok_or(RevisionError::TooLarge)?)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The value of up to 19 decimal digits; `None` on any other byte or on more digits. No digits are 0.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_and_are_not() {
        type Row = (&'static str, Result<(char, u32), EntityIdError>);
        let rows: &[Row] = &[
            ("Q42", Ok(('Q', 42))),
            ("P31", Ok(('P', 31))),
            ("L4696", Ok(('L', 4696))),
            ("M6580719", Ok(('M', 6_580_719))),
            ("Q2147483647", Ok(('Q', 2_147_483_647))),
            ("Q2147483648", Err(EntityIdError::TooLarge)),
            ("Q9999999999999999999", Err(EntityIdError::TooLarge)),
            ("Q99999999999999999999", Err(EntityIdError::TooLarge)),
            ("Q0", Err(EntityIdError::Number)),
            ("Q042", Err(EntityIdError::Number)),
            ("Q", Err(EntityIdError::Number)),
            ("Q4 2", Err(EntityIdError::Number)),
            ("L4696-F1", Err(EntityIdError::Number)),
            ("q42", Err(EntityIdError::Kind)),
            ("X1", Err(EntityIdError::Kind)),
            ("", Err(EntityIdError::Kind)),
        ];
        for (text, expected) in rows {
            let got = EntityId::parse(text.as_bytes());
            assert_eq!(got.map(|id| (id.kind().letter(), id.number())), *expected, "{text}");
            if let Ok(id) = got {
                assert_eq!(id.to_string(), *text);
            }
        }
        assert_eq!(size_of::<EntityId>(), 8);
    }

    #[test]
    fn revisions_that_are_and_are_not() {
        let rows: &[(&str, Result<u64, RevisionError>)] = &[
            ("1", Ok(1)),
            ("1065756426", Ok(1_065_756_426)),
            ("+7", Ok(7)),
            ("007", Ok(7)),
            ("0000000000000000000000007", Ok(7)),
            ("4611686018427387903", Ok(Revision::MAX)),
            ("4611686018427387904", Err(RevisionError::TooLarge)),
            ("99999999999999999999", Err(RevisionError::TooLarge)),
            ("0", Err(RevisionError::NotPositive)),
            ("-1", Err(RevisionError::NotPositive)),
            ("-", Err(RevisionError::NotANumber)),
            ("", Err(RevisionError::NotANumber)),
            ("12x", Err(RevisionError::NotANumber)),
            ("1.0", Err(RevisionError::NotANumber)),
        ];
        for (text, expected) in rows {
            assert_eq!(Revision::parse(text.as_bytes()).map(Revision::get), *expected, "{text}");
        }
    }

    #[test]
    fn ids_sort_by_kind_then_number() {
        let mut ids: Vec<_> =
            ["M1", "Q10", "L3", "Q9", "P2"].iter().map(|id| EntityId::parse(id.as_bytes()).unwrap()).collect();
        ids.sort();
        let ids: Vec<_> = ids.iter().map(EntityId::to_string).collect();
        assert_eq!(ids, ["Q9", "Q10", "P2", "L3", "M1"]);
    }
}
