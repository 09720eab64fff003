//! Bytes of Turtle, as Wikibase's writer spaces and escapes them.
//!
//! Promise: appending is a copy; nothing is formatted through `fmt` on the way.
//! Invariant: only [`Turtle::escaped`] and [`Turtle::percent`] may be given text that is not plain.

/// Text under construction.
#[derive(Debug, Default)]
pub struct Turtle(pub Vec<u8>);

impl Turtle {
    /// Appends each part as it is.
    #[inline]
    pub fn put(&mut self, parts: &[&str]) {
        for part in parts {
            self.0.extend_from_slice(part.as_bytes());
        }
    }

    /// Appends a decimal number.
    #[inline]
    pub fn number(&mut self, number: impl itoa::Integer) {
        self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// Appends a decimal number of at least two digits.
    pub fn two(&mut self, number: u8) {
        self.0.extend_from_slice(&[b'0' + number / 10 % 10, b'0' + number % 10]);
    }

    /// Appends a `digits`-digit hexadecimal number.
    pub fn hex(&mut self, number: u128, digits: usize) {
        self.digits(number, digits, b"0123456789abcdef");
    }

    /// Appends a UUID in large or small letters; Wikidata has both.
    pub fn uuid(&mut self, number: u128, large: bool) {
        let letters = if large { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
        let mut left = 32;
        for digits in [8, 4, 4, 4, 12] {
            left -= digits;
            self.digits(number >> (4 * left), digits, letters);
            if left > 0 {
                self.0.push(b'-');
            }
        }
    }

    fn digits(&mut self, number: u128, digits: usize, letters: &[u8; 16]) {
        let mut text = [b'0'; 40];
        let mut rest = number;
        for digit in text[..digits].iter_mut().rev() {
            *digit = letters[(rest & 15) as usize];
            rest >>= 4;
        }
        self.0.extend_from_slice(&text[..digits]);
    }

    /// Appends the inside of a quoted literal.
    pub fn escaped(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'"' => self.put(&["\\\""]),
                b'\\' => self.put(&["\\\\"]),
                b'\n' => self.put(&["\\n"]),
                b'\t' => self.put(&["\\t"]),
                _ => self.0.push(byte),
            }
        }
    }

    /// Rewrites what was appended from `start` on as a piece of a URL: spaces to `_`, all that is not ASCII as `%XX`.
    pub fn percent(&mut self, start: usize) {
        if self.0[start..].iter().all(u8::is_ascii_alphanumeric) {
            return;
        }
        let plain = self.0.split_off(start);
        for byte in plain {
            match byte {
                b' ' => self.0.push(b'_'),
                0x80.. => {
                    self.0.push(b'%');
                    self.digits(byte.into(), 2, b"0123456789ABCDEF");
                }
                _ => self.0.push(byte),
            }
        }
    }

    /// Appends `"2019-11-30T01:14:52Z"^^xsd:dateTime`.
    pub fn date_time(&mut self, date: (i32, u8, u8), time: (u8, u8, u8)) {
        self.put(&["\""]);
        self.number(date.0);
        for (before, number) in [("-", date.1), ("-", date.2), ("T", time.0), (":", time.1), (":", time.2)] {
            self.put(&[before]);
            self.two(number);
        }
        self.put(&["Z\"^^xsd:dateTime"]);
    }

    /// Appends `"7"^^xsd:integer`.
    pub fn integer(&mut self, number: impl itoa::Integer) {
        self.put(&["\""]);
        self.number(number);
        self.put(&["\"^^xsd:integer"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling() {
        let mut text = Turtle::default();
        text.uuid(0x63214a9f_b2c8_42f9_8da0_b046a989ddcf, true);
        text.put(&[" "]);
        text.hex(0xabc, 5);
        text.put(&[" "]);
        text.escaped("a \"b\" \\ c\nd\té");
        text.put(&[" "]);
        text.date_time((2019, 1, 30), (1, 14, 52));
        let start = text.0.len();
        text.put(&["Aé b"]);
        text.percent(start);
        let expected = "63214A9F-B2C8-42F9-8DA0-B046A989DDCF 00abc a \\\"b\\\" \\\\ c\\nd\\té \
                        \"2019-01-30T01:14:52Z\"^^xsd:dateTimeA%C3%A9_b";
        assert_eq!(String::from_utf8(text.0).unwrap(), expected);
    }
}
