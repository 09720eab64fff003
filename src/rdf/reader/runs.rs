//! Runs of bytes of a kind, eight bytes at a time.
//!
//! Promise: the first byte at or after a place that is not of the kind, or the end of the text.
//! In -> out: bytes and a place -> a place.
//! Invariant: each kind is one rule for eight bytes at once; single bytes at the end of the text follow the same rule.
//! Not here: what a byte that ends a run means (see `reader`).

/// A bit for each byte of a word: its highest.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The same byte eight times.
const fn each(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// Letters, digits, `_`, `-` and `:`, all ASCII: what a name goes on with, but for dots and escapes.
#[inline(always)]
pub fn name(bytes: &[u8], at: usize) -> usize {
    run(bytes, at, |word| {
        let low = word & !HIGH;
        let lower = low | each(0x20);
        let letter = at_least(lower, b'a') & !at_least(lower, b'z' + 1);
        // The colon follows the nine.
        let digit = at_least(low, b'0') & !at_least(low, b':' + 1);
        (letter | digit | !(is_not(low, b'_') & is_not(low, b'-'))) & !word
    })
}

/// Bytes that stand for themselves in a string closed by `quote`: all but that, a backslash and control characters.
#[inline(always)]
pub fn string(bytes: &[u8], at: usize, quote: u8) -> usize {
    run(bytes, at, |word| {
        let low = word & !HIGH;
        (is_not(low, quote) & is_not(low, b'\\') & at_least(low, b' ')) | word
    })
}

/// Letters, digits, `-`, `.` and `_`, all ASCII: what most hosts are named with.
#[inline(always)]
pub fn host(bytes: &[u8], at: usize) -> usize {
    run(bytes, at, |word| {
        let low = word & !HIGH;
        let lower = low | each(0x20);
        let letter = at_least(lower, b'a') & !at_least(lower, b'z' + 1);
        let digit = at_least(low, b'0') & !at_least(low, b'9' + 1);
        let sign = at_least(low, b'-') & !at_least(low, b'.' + 1);
        (letter | digit | sign | !is_not(low, b'_')) & !word
    })
}

/// Bytes that surely stand for themselves after the authority of an IRI: not all of them, but none that does not.
#[inline(always)]
pub fn iri(bytes: &[u8], at: usize) -> usize {
    run(bytes, at, |word| {
        let low = word & !HIGH;
        let brackets = at_least(low, b'[') & !at_least(low, b'^' + 1);
        let signs = is_not(low, b'<') & is_not(low, b'>') & is_not(low, b'`');
        at_least(low, b'&') & !at_least(low, b'{') & signs & !brackets & !word
    })
}

/// How many of eight bytes stand before the first colon; 8 if there is none.
#[inline(always)]
pub fn before_colon(word: u64) -> usize {
    let colons = !is_not(word & !HIGH, b':') & !word & HIGH;
    colons.trailing_zeros() as usize / 8
}

/// The end of the run of bytes for which `is_of_kind` gives the highest bit.
#[inline(always)]
fn run(bytes: &[u8], mut at: usize, is_of_kind: impl Fn(u64) -> u64) -> usize {
    loop {
        let ends = !is_of_kind(word(bytes, at)) & HIGH;
        if ends != 0 || at + 8 > bytes.len() {
            return (at + ends.trailing_zeros() as usize / 8).min(bytes.len());
        }
        at += 8;
    }
}

/// The eight bytes at `at`, the first lowest; zeros where the text is over.
#[inline(always)]
pub fn word(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(word) => u64::from_le_bytes(*word),
        None => last_word(bytes.get(at..).unwrap_or_default()),
    }
}

#[cold]
fn last_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// The high bit of each byte of `low`, all below 0x80, that is `byte` or more.
#[inline(always)]
const fn at_least(low: u64, byte: u8) -> u64 {
    low + each(0x80 - byte)
}

/// The high bit of each byte of `low`, all below 0x80, that is not `byte`.
#[inline(always)]
const fn is_not(low: u64, byte: u8) -> u64 {
    (low ^ each(byte)) + each(0x7F)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place of a word, and in the rest of one, is judged as one by one.
    #[test]
    fn runs_end_at_the_first_byte_of_another_kind() {
        type Run = fn(&[u8], usize) -> usize;
        type Kind = fn(u8) -> bool;
        let kinds: [(Run, Kind); 5] = [
            (name, |byte| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte)),
            (|bytes, at| string(bytes, at, b'"'), |byte| byte >= b' ' && byte != b'"' && byte != b'\\'),
            (|bytes, at| string(bytes, at, b'\''), |byte| byte >= b' ' && byte != b'\'' && byte != b'\\'),
            (host, |byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)),
            (iri, |byte| byte.is_ascii_alphanumeric() || b"&'()*+,-./:;=?@_".contains(&byte)),
        ];
        for (run, is_of_kind) in kinds {
            for byte in 0..=255 {
                for before in 0..20 {
                    for after in [0, 1, 9] {
                        let text = [vec![b'a'; before], vec![byte], vec![b'a'; after]].concat();
                        let expected = if is_of_kind(byte) { text.len() } else { before };
                        assert_eq!(run(&text, 0), expected, "{byte:#x} after {before}, before {after}");
                    }
                }
            }
        }
        assert_eq!(name(b"abc", 3), 3);
    }
}
