//! Every format decodes to its text, whole or in parts; a file that is cut or damaged says so.

use std::io::Write;

use proptest::prelude::*;

use std::ops::ControlFlow;

use crate::compression::source::{DecodeError, Seam, Source, WINDOW};
use crate::compression::{Compression, gunzip};
use crate::storage::{self, Location};

fn source(bytes: Vec<u8>) -> Source {
    let location = Location::memory().join("file");
    storage::put(&location, bytes.into()).unwrap();
    Source::open(&location).unwrap()
}

fn compress(compression: Compression, text: &[u8]) -> Vec<u8> {
    compression.compress(text.to_vec()).unwrap()
}

/// Decodes in parts of `part` compressed bytes as a caller would: a part counts only if it begins where the last ended.
fn in_parts(source: &Source, part: u64) -> Result<Vec<u8>, DecodeError> {
    let (mut text, mut expected) = (Vec::new(), Seam::START);
    for start in (0..source.size()).step_by(part as usize) {
        let range = start..source.size().min(start + part);
        if expected.reaches(range.end) {
            continue;
        }
        // Where the guess is right it is used, so that wrong seams would show.
        let from = source.find(&range)?.filter(|found| *found == expected).unwrap_or(expected);
        expected = source.decode(from, range.end, &mut |window| {
            assert!(window.len() <= WINDOW);
            text.extend_from_slice(window);
            ControlFlow::Continue(())
        })?;
    }
    assert_eq!(expected, Seam::at_byte(source.size()));
    Ok(text)
}

/// Text that compresses as a dump does, more or less.
fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut words = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("wd:Q{} a wikibase:Item .\n", state >> 44)
    });
    let mut text = Vec::new();
    while text.len() < len {
        text.extend(words.next().unwrap_or_default().bytes());
    }
    text.truncate(len);
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// One stream or several, read in parts of any size.
    #[test]
    fn parts_put_together_are_the_text(
        seed: u64, lens in prop::collection::vec(0..400_000_usize, 1..5), part in 1000..60_000_u64,
    ) {
        let texts: Vec<_> = lens.iter().map(|len| text(seed ^ *len as u64, *len)).collect();
        for compression in Compression::ALL {
            let source = source(texts.iter().flat_map(|text| compress(compression, text)).collect());
            if compression != Compression::Plain {
                prop_assert_eq!(source.compression(), compression);
            }
            prop_assert!(in_parts(&source, part).unwrap() == texts.concat(), "{:?}", compression);
        }
    }

    /// A file cut anywhere is truncated, or empty, or cut exactly between two streams.
    #[test]
    fn a_cut_file_says_so(len in 1..300_000_usize, cut: prop::sample::Index) {
        for compression in &Compression::ALL[1..] {
            let whole = compress(*compression, &text(7, len));
            let keep = cut.index(whole.len()).max(4);
            let cut = source(whole[..keep].to_vec());
            let result = in_parts(&cut, 20_000);
            prop_assert!(matches!(result, Err(DecodeError::Truncated { .. })), "{compression:?} cut at {keep}: {:?}", result.map(|text| text.len()));
        }
    }

    /// A changed byte is an error, or does not matter (a time stamp in a header); it never changes the text.
    #[test]
    fn a_damaged_file_never_gives_other_text(len in 1..200_000_usize, at: prop::sample::Index, mask in 1..=255_u8) {
        for compression in &Compression::ALL[1..3] {
            let text = text(9, len);
            let mut bytes = compress(*compression, &text);
            let at = at.index(bytes.len() - 4) + 4;
            bytes[at] ^= mask;
            if let Ok(decoded) = in_parts(&source(bytes), 20_000) {
                prop_assert!(decoded == text, "{compression:?} damaged at {at}");
            }
        }
    }
}

#[test]
fn padding_after_gzip_is_passed_over_and_rubbish_is_not() {
    let padded = [compress(Compression::Gzip, b"a ."), vec![0; 1000]].concat();
    assert_eq!(in_parts(&source(padded), 10).unwrap(), b"a .");
    let rubbish = [compress(Compression::Gzip, b"a ."), b"rubbish at the end".to_vec()].concat();
    assert!(matches!(in_parts(&source(rubbish), 1 << 20), Err(DecodeError::Corrupt { .. })));
    let rubbish = [compress(Compression::Bzip2, b"a ."), b"rubbish at the end".to_vec()].concat();
    assert!(matches!(in_parts(&source(rubbish), 1 << 20), Err(DecodeError::Corrupt { .. })));
}

#[test]
fn a_false_seam_is_found_and_not_trusted() {
    // Stored, not deflated, so that the text's own bytes stand in the file: they look like a header.
    let mut text = text(3, 50_000);
    text[25_000..25_010].copy_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(&text).unwrap();
    let source = source(encoder.finish().unwrap());
    assert!(source.find(&(20_000..30_000)).unwrap().is_some());
    assert!(in_parts(&source, 5000).unwrap() == text);
}

#[test]
fn members_of_gzip_are_unpacked_up_to_a_limit() {
    let two = [compress(Compression::Gzip, b"a ."), compress(Compression::Gzip, b"b .")].concat();
    let rows = [(&two[..], 6, Some(Some("a .b ."))), (&two, 5, Some(None)), (&two[..30], 6, None), (b"a .", 6, None)];
    for (members, most, expected) in rows {
        let text = gunzip(members, most).ok();
        assert_eq!(text.as_ref().map(Option::as_deref), expected.map(|text| text.map(str::as_bytes)), "{most}");
    }
}
