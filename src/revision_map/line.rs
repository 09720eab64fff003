//! Lines of `entity,revision` as bytes.
//!
//! Promise: what [`parse`] gives for any bytes is what [`exact`] gives for each line of them.
//! Invariant: pure; an offset counts from the first byte of the block.
//! Not here: where blocks begin and end.

use crate::revision_map::{LineRule, Negative};
use crate::state::{EntityState, Entry};
use crate::wikibase::entity::{EntityId, EntityKind, Revision};

/// The most bytes a line can have.
pub const MAX_LINE: usize = 1 << 16;
const HEADERS: [&[u8]; 2] = [b"entity,revision", b"\"entity\",\"revision\""];
/// What some programs put before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// The most characters of an entity text that are kept.
const MAX_SHOWN: usize = 60;

/// A line that breaks a rule, in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    pub offset: usize,
    /// Lines before it in the block.
    pub lines_before: u64,
    pub entity: String,
    pub rule: LineRule,
}

/// What a block holds apart from its entries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// All lines.
    pub lines: u64,
    /// Lines with an entry, good or bad.
    pub filled: u64,
    pub bad: Vec<Bad>,
}

/// Parses a block of whole lines; the very last line may lack its end. `first` says that a header may stand there.
pub fn parse(block: &[u8], first: bool, negative: Negative, mut found: impl FnMut(Entry)) -> Parsed {
    let mut parsed = Parsed::default();
    let mut at = 0;
    while at < block.len() {
        if let Some((entry, len)) = usual(&block[at..]) {
            found(entry);
            parsed.filled += 1;
            at += len;
        } else {
            let len = memchr::memchr(b'\n', &block[at..]).unwrap_or(block.len() - at);
            exact(&block[at..at + len], at, first, negative, &mut parsed, &mut found);
            at += len + 1;
        }
        parsed.lines += 1;
    }
    parsed
}

/// The line as almost all are written, such as `Q42,1065756426\n`; its entry and its length. `None` for all else.
#[inline]
fn usual(rest: &[u8]) -> Option<(Entry, usize)> {
    let kind = EntityKind::from_letter(*rest.first()?)?;
    let (number, comma) = digits::<10>(rest, 1)?;
    if rest.get(comma) != Some(&b',') {
        return None;
    }
    let (revision, end) = digits::<18>(rest, comma + 1)?;
    if rest.get(end) != Some(&b'\n') {
        return None;
    }
    let entity = EntityId::new(kind, u32::try_from(number).ok()?)?;
    Some((Entry::new(entity, EntityState::Created(Revision::new(revision).ok()?)), end + 1))
}

/// The value of the 1 to `MAX` digits at `at`, without leading zeros, and where they end.
#[inline]
fn digits<const MAX: usize>(rest: &[u8], at: usize) -> Option<(u64, usize)> {
    let (mut value, mut end) = (0_u64, at);
    while let Some(digit) = rest.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        if end - at == MAX {
            return None;
        }
        value = value * 10 + u64::from(digit);
        end += 1;
    }
    (end > at && rest[at] != b'0').then_some((value, end))
}

/// Parses one line without its LF, by the rules as they are written down.
pub fn exact(
    line: &[u8],
    offset: usize,
    first: bool,
    negative: Negative,
    parsed: &mut Parsed,
    found: &mut impl FnMut(Entry),
) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_start = first && offset == 0;
    // As spreadsheets write it.
    let line = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_start).unwrap_or(line);
    if line.is_empty() || (is_start && HEADERS.contains(&line)) {
        return;
    }
    parsed.filled += 1;
    match entry(line, negative) {
        Ok(entry) => found(entry),
        Err((entity, rule)) => {
            let lines_before = parsed.lines;
            parsed.bad.push(Bad { offset, lines_before, entity: shown(entity), rule });
        }
    }
}

fn entry(line: &[u8], negative: Negative) -> Result<Entry, (&[u8], LineRule)> {
    if line.len() > MAX_LINE {
        return Err((line, LineRule::Length));
    }
    let comma = memchr::memchr(b',', line).ok_or((line, LineRule::Fields))?;
    let (entity, revision) = (&line[..comma], &line[comma + 1..]);
    let wrong = |rule| (entity, rule);
    if memchr::memchr(b',', revision).is_some() {
        return Err(wrong(LineRule::Fields));
    }
    let entity = unquoted(entity).ok_or(wrong(LineRule::Fields))?;
    let revision = unquoted(revision).ok_or(wrong(LineRule::Fields))?;
    let id = EntityId::parse(entity).map_err(|error| (entity, error.into()))?;
    let state = match revision {
        // A second sign is not for `Revision::parse` to accept.
        [b'-', digits @ ..] if negative == Negative::Deleted && digits.first().is_some_and(u8::is_ascii_digit) => {
            Revision::parse(digits).map(EntityState::Deleted)
        }
        _ => Revision::parse(revision).map(EntityState::Created),
    };
    Ok(Entry::new(id, state.map_err(|error| (entity, error.into()))?))
}

/// A field without the quotes round it; `None` where a quote stands alone.
fn unquoted(field: &[u8]) -> Option<&[u8]> {
    let inner = match field {
        [b'"', inner @ .., b'"'] => inner,
        _ => field,
    };
    (!inner.contains(&b'"')).then_some(inner)
}

/// `text` as it can be shown to people, cut.
pub fn shown(text: &[u8]) -> String {
    // At most 4 bytes a character; one more character than fits tells that there is more.
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * (MAX_SHOWN + 1))]).escape_debug().to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The entry of a row of a table.
pub fn row(entity: &str, revision: i64, negative: Negative) -> Result<Entry, Bad> {
    let bad = |rule| Bad { offset: 0, lines_before: 0, entity: shown(entity.as_bytes()), rule };
    let id = EntityId::parse(entity.as_bytes()).map_err(|error| bad(error.into()))?;
    let number = Revision::new(revision.unsigned_abs()).map_err(|error| bad(error.into()))?;
    match (revision > 0, negative) {
        (true, _) => Ok(Entry::new(id, EntityState::Created(number))),
        (false, Negative::Deleted) => Ok(Entry::new(id, EntityState::Deleted(number))),
        (false, Negative::Reject) => Err(bad(crate::wikibase::entity::RevisionError::NotPositive.into())),
    }
}
