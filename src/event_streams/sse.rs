//! Server-Sent Events: bytes as they come -> events.
//!
//! Promise: the same events wherever the bytes are cut.
//! In -> out: bytes -> [`Event`]s, one after the other.
//! Rules: the HTML standard, "Server-sent events". An id holds for the event that it stands in only, as whoever asks here resumes
//! from positions, not from the last id.
//! Invariant: pure; one unfinished event is kept, of a bounded size.

use std::mem::take;
use std::time::Duration;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What the server sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'p> {
    /// Its `event`; empty for one without.
    pub kind: &'p [u8],
    /// Its `id`, if there is one.
    pub id: Option<&'p [u8]>,
    /// Its lines of `data`, parted by line feeds.
    pub data: &'p [u8],
}

/// An event, or a line, has more than so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oversize(pub usize);

/// Reads what a connection brings, from its first byte on.
#[derive(Debug)]
pub struct Parser {
    most: usize,
    /// The beginning of a line that has not ended.
    line: Vec<u8>,
    kind: Vec<u8>,
    id: Option<Vec<u8>>,
    data: Option<Vec<u8>>,
    retry: Option<Duration>,
    is_first_line: bool,
    /// Whether the last line ended with a carriage return, to which a line feed may belong.
    after_return: bool,
    /// Whether the event was handed out.
    is_given: bool,
}

impl Parser {
    /// Begins; an event may have `most` bytes.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            kind: Vec::new(),
            id: None,
            data: None,
            retry: None,
            is_first_line: true,
            after_return: false,
            is_given: false,
        }
    }

    /// The pause before a new connection that the server asked for last.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Begins anew, for another connection.
    pub fn restart(&mut self) {
        *self = Self { retry: self.retry, ..Self::new(self.most) };
    }

    /// Reads up to the end of the next event and takes what was read off `input`; `None` where `input` ends before that.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Event<'_>>, Oversize> {
        if take(&mut self.is_given) {
            self.clear();
        }
        while !self.is_given {
            if !input.is_empty() && take(&mut self.after_return) {
                *input = input.strip_prefix(b"\n").unwrap_or(input);
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', input) else {
                self.fits(input.len())?;
                self.line.extend_from_slice(input);
                *input = &[];
                return Ok(None);
            };
            self.fits(end)?;
            let piece = &input[..end];
            self.after_return = input[end] == b'\r';
            *input = &input[end + 1..];
            if self.line.is_empty() {
                self.end_line(piece);
            } else {
                let mut line = take(&mut self.line);
                line.extend_from_slice(piece);
                self.end_line(&line);
                line.clear();
                self.line = line;
            }
        }
        let data = self.data.as_deref().unwrap_or_default();
        Ok(Some(Event { kind: &self.kind, id: self.id.as_deref(), data }))
    }

    /// Whether so much more can be kept.
    fn fits(&self, more: usize) -> Result<(), Oversize> {
        let held = self.line.len() + self.data.as_ref().map_or(0, Vec::len);
        if held + more > self.most { Err(Oversize(self.most)) } else { Ok(()) }
    }

    fn end_line(&mut self, line: &[u8]) {
        let is_first = take(&mut self.is_first_line);
        let line = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_first).unwrap_or(line);
        if line.is_empty() {
            // Without data there is no event.
            self.is_given = self.data.is_some();
            if !self.is_given {
                self.clear();
            }
            return;
        }
        let colon = memchr::memchr(b':', line);
        let (name, value) = colon.map_or((line, &line[line.len()..]), |at| (&line[..at], &line[at + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => match &mut self.data {
                None => self.data = Some(value.to_vec()),
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            },
            b"event" => self.kind = value.to_vec(),
            b"id" if !value.contains(&0) => self.id = Some(value.to_vec()),
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                let millis = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                self.retry = millis.map(Duration::from_millis).or(self.retry);
            }
            // A comment has no name; others mean nothing.
            _ => {}
        }
    }

    fn clear(&mut self) {
        self.kind.clear();
        self.id = None;
        self.data = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Kind, id, data.
    type Told = (String, Option<String>, String);

    fn told(event: Event<'_>) -> Told {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(event.kind), event.id.map(text), text(event.data))
    }

    /// Reads the pieces one after the other.
    fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Told>, Option<Duration>) {
        let mut parser = Parser::new(1000);
        let mut events = Vec::new();
        for mut piece in pieces {
            while let Some(event) = parser.read(&mut piece).unwrap() {
                events.push(told(event));
            }
            assert!(piece.is_empty());
        }
        (events, parser.retry())
    }

    /// The standard once more, over the whole text and line by line.
    fn by_the_book(text: &str) -> Vec<Told> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
        // What stands behind the last end of a line is no line.
        let lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let (mut events, mut fields) = (Vec::new(), Vec::new());
        let lines = lines.split('\n').take(if text.contains('\n') { usize::MAX } else { 0 });
        for line in lines {
            if !line.is_empty() {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                fields.push((name, value.strip_prefix(' ').unwrap_or(value)));
                continue;
            }
            let fields = take(&mut fields);
            let last = |name| fields.iter().rev().find(|field| field.0 == name).map(|field| field.1.to_owned());
            let data: Vec<_> = fields.iter().filter(|field| field.0 == "data").map(|field| field.1).collect();
            if !data.is_empty() {
                events.push((last("event").unwrap_or_default(), last("id"), data.join("\n")));
            }
        }
        events
    }

    #[test]
    fn texts_as_in_this_table() {
        let event =
            |kind: &str, id: Option<&str>, data: &str| (kind.to_owned(), id.map(str::to_owned), data.to_owned());
        let rows = [
            ("data: a\n\n", vec![event("", None, "a")]),
            ("data: a\n", vec![]),
            ("data: a", vec![]),
            ("data:a\r\rdata:b\r\n\r\n", vec![event("", None, "a"), event("", None, "b")]),
            ("data\n\ndata:\n\n", vec![event("", None, ""), event("", None, "")]),
            ("data: a\ndata:  b\ndata\n\n", vec![event("", None, "a\n b\n")]),
            (":ok\n\n: data: a\n\n", vec![]),
            ("event: message\nid: [1]\ndata: {\"a\": 1}\n\n", vec![event("message", Some("[1]"), "{\"a\": 1}")]),
            ("id: 1\n\ndata: a\n\n", vec![event("", None, "a")]),
            ("id: 1\ndata: a\n\ndata: b\n\n", vec![event("", Some("1"), "a"), event("", None, "b")]),
            ("id: 1\nid: 2\nid: 3\0\ndata: a\nevent: x\nevent: y\n\n", vec![event("y", Some("2"), "a")]),
            ("id\ndata: a\n\n", vec![event("", Some(""), "a")]),
            ("\u{feff}data: a\n\n\u{feff}data: b\n\n", vec![event("", None, "a")]),
            ("Data: a\n data: b\ndatum: c\n\n", vec![]),
            ("\n\n\n", vec![]),
            ("", vec![]),
        ];
        for (text, expected) in rows {
            assert_eq!(events([text.as_bytes()]).0, expected, "{text:?}");
        }
    }

    #[test]
    fn pauses_that_are_asked_for() {
        let rows = [
            ("retry: 250\n", Some(250)),
            ("retry: 250\nretry: 3\n\n", Some(3)),
            ("retry: 250\nretry: 3s\nretry: -1\nretry:\nretry: 99999999999999999999\n", Some(250)),
            ("retry: 250", None),
        ];
        for (text, expected) in rows {
            assert_eq!(events([text.as_bytes()]).1, expected.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn an_event_has_its_bounds() {
        let whole = format!("data: {}\n\n", "x".repeat(994));
        assert_eq!(events([whole.as_bytes()]).0.len(), 1);
        let lines = |count| format!("{}\n", "data: 0123456789\n".repeat(count));
        assert_eq!(events([lines(89).as_bytes()]).0.len(), 1);
        // An event, a line, a comment; some without an end.
        for text in [lines(100), "data: 0123456789\n".repeat(100), "x".repeat(1001), format!(":{}\n", "x".repeat(1001))]
        {
            for piece in [1, 7, 5000] {
                let mut parser = Parser::new(1000);
                let read = |mut piece: &[u8]| parser.read(&mut piece).map(|event| event.is_some());
                let first = text.as_bytes().chunks(piece).map(read).find(|outcome| *outcome != Ok(false));
                assert_eq!(first, Some(Err(Oversize(1000))), "{text}");
            }
        }
    }

    fn lines() -> impl Strategy<Value = String> {
        let line =
            prop_oneof!["(data|id|event|retry|x)?:? ?[ab:\u{e9}]{0,3}", Just(String::new()), Just(":ok".to_owned())];
        let end = prop_oneof![Just("\n"), Just("\r"), Just("\r\n")];
        let lines = prop::collection::vec((line, end), 0..20);
        let whole = lines.prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect::<String>());
        (prop_oneof![Just(""), Just("\u{feff}")], whole, "(data: a)?")
            .prop_map(|(mark, text, rest)| mark.to_owned() + &text + &rest)
    }

    proptest! {
        #[test]
        fn cut_anywhere_the_events_are_those_of_the_book(text in lines(), cuts in prop::collection::vec(0_usize..200, 0..8)) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|ends| &text.as_bytes()[ends[0]..ends[1]]);
            let expected = by_the_book(&text);
            prop_assert_eq!(&events(pieces).0, &expected);
            prop_assert_eq!(&events(text.as_bytes().chunks(1)).0, &expected);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut parser = Parser::new(100);
            let mut rest = bytes.as_slice();
            while let Ok(Some(_)) = parser.read(&mut rest) {}
        }
    }
}
