//! JSON, read from front to back: the caller says what it expects next, so nothing is built that nobody asked for.

use std::borrow::Cow;

use crate::error::{RbeError, Result};
use crate::memory;

/// A position in a JSON text.
pub struct Reader<'a> {
    text: &'a str,
    at: usize, // byte
}

/// A JSON value without parts.
#[derive(Debug, PartialEq)]
pub enum Scalar<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it is written; also `NaN`, `Infinity` and `-Infinity`, which Python writes.
    Number(&'a str),
    /// A string, unescaped.
    String(Cow<'a, str>),
}

impl<'a> Reader<'a> {
    /// Reader of `text` from its start.
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    /// Error that names what should stand here, and what does.
    pub fn wrong(&self, expected: &str) -> RbeError {
        let rest: String = self.text.get(self.at..).unwrap_or_default().chars().take(20).collect();
        let got = if rest.is_empty() { "the end".to_owned() } else { format!("{rest:?}") };
        RbeError::format("load", format!("{expected} at byte {} of the JSON", self.at), got)
    }

    /// Next byte after white space; 0 at the end.
    pub fn peek(&mut self) -> u8 {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.byte()
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Passes over the punctuation mark `mark`.
    ///
    /// # Errors
    /// `Format` if something else comes next.
    pub fn pass(&mut self, mark: u8) -> Result<()> {
        if self.peek() != mark {
            return Err(self.wrong(&format!("{:?}", char::from(mark))));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another member follows in a list or object that ends with `close`; passes over the comma or the end.
    /// `first` says that no member has been read yet.
    ///
    /// # Errors
    /// `Format` if neither a comma nor the end comes after a member.
    pub fn more(&mut self, close: u8, first: bool) -> Result<bool> {
        if self.peek() == close {
            self.at += 1;
            return Ok(false);
        }
        if !first {
            self.pass(b',')?;
            if self.peek() == close {
                return Err(self.wrong("a member after the comma"));
            }
        }
        Ok(true)
    }

    /// Checks that nothing but white space follows.
    ///
    /// # Errors
    /// `Format` otherwise.
    pub fn end(&mut self) -> Result<()> {
        self.peek();
        if self.at < self.text.len() { Err(self.wrong("the end")) } else { Ok(()) }
    }

    /// A string, unescaped.
    ///
    /// # Errors
    /// `Format` if none comes next, for a control character, an unknown escape or half a surrogate pair in it.
    pub fn string(&mut self) -> Result<Cow<'a, str>> {
        if self.peek() != b'"' {
            return Err(self.wrong("a string"));
        }
        self.at += 1;
        let mut unescaped: Option<String> = None;
        let mut from = self.at;
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            self.at += rest.iter().take_while(|b| !matches!(b, b'"' | b'\\' | ..=0x1f)).count();
            let part = &self.text[from..self.at];
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(part),
                        Some(before) => Cow::Owned(before + part),
                    });
                }
                b'\\' => {
                    let out = unescaped.get_or_insert_with(|| with_room(self.rest_of_string() + part.len()));
                    out.push_str(part);
                    self.at += 1;
                    out.push(self.escape()?);
                    from = self.at;
                }
                _ => return Err(self.wrong("the rest of a string")),
            }
        }
    }

    /// Bytes up to the quotation mark that ends the string at hand.
    fn rest_of_string(&self) -> usize {
        let (rest, mut n) = (&self.text.as_bytes()[self.at..], 0);
        while let Some(b) = rest.get(n)
            && *b != b'"'
        {
            n += 1 + usize::from(*b == b'\\');
        }
        n
    }

    /// The character that the rest of an escape stands for.
    fn escape(&mut self) -> Result<char> {
        let kind = self.byte();
        let plain = match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.code_point();
            }
            _ => return Err(self.wrong("an escape of JSON")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn code_point(&mut self) -> Result<char> {
        let mut code = self.unit()?;
        if (0xd800..0xdc00).contains(&code) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let low = self.unit()?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        char::from_u32(code).ok_or_else(|| self.wrong("a whole surrogate pair before this"))
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else { return Err(self.wrong("four hexadecimal digits")) };
        self.at += 4;
        Ok(digits.iter().fold(0, |code, d| code << 4 | char::from(*d).to_digit(16).unwrap_or(0)))
    }

    /// A number as it is written.
    ///
    /// # Errors
    /// `Format` if none comes next.
    pub fn number(&mut self) -> Result<&'a str> {
        self.peek();
        let (start, bytes) = (self.at, self.text.as_bytes());
        let mut at = start + usize::from(self.byte() == b'-');
        let run = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let integer = run(at);
        if integer == 0 || (integer > 1 && bytes[at] == b'0') {
            return Err(self.wrong("a number"));
        }
        at += integer;
        if bytes.get(at) == Some(&b'.') {
            let digits = run(at + 1);
            at += 1 + digits;
            if digits == 0 {
                return Err(self.wrong("a number"));
            }
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let digits = run(at + 1 + sign);
            at += 1 + sign + digits;
            if digits == 0 {
                return Err(self.wrong("a number"));
            }
        }
        self.at = at;
        Ok(&self.text[start..at])
    }

    /// An integer that is not negative.
    ///
    /// # Errors
    /// `Format` if none comes next, or one that `usize` does not hold.
    pub fn integer(&mut self) -> Result<usize> {
        self.peek();
        let start = self.at;
        self.number()?.parse().map_err(|_| {
            self.at = start;
            self.wrong("an integer from 0 to 2^64 - 1")
        })
    }

    /// A value without parts.
    ///
    /// # Errors
    /// `Format` if none comes next.
    pub fn scalar(&mut self) -> Result<Scalar<'a>> {
        if self.peek() == b'"' {
            return Ok(Scalar::String(self.string()?));
        }
        for word in ["null", "true", "false", "NaN", "Infinity", "-Infinity"] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(match word {
                    "null" => Scalar::Null,
                    "true" => Scalar::Bool(true),
                    "false" => Scalar::Bool(false),
                    _ => Scalar::Number(word),
                });
            }
        }
        Ok(Scalar::Number(self.number()?))
    }
}

/// An empty text with room for `n` bytes.
pub(super) fn with_room(n: usize) -> String {
    String::from_utf8(memory::with_capacity(n)).unwrap_or_default() // nothing is valid text
}

/// A copy of `text`, which may be as long as a file.
pub(super) fn copied(text: &str) -> String {
    let mut out = with_room(text.len());
    out.push_str(text);
    out
}

/// Bytes that [`write_string`] appends for `text`.
pub fn written_length(text: &str) -> usize {
    let byte = |b: u8| match b {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        ..=0x1f => 6,
        _ => 1,
    };
    2 + text.bytes().map(byte).sum::<usize>()
}

/// A text for an error: quoted, and cut where it is long.
pub struct Shown<'a>(pub &'a str);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MOST: usize = 60; // characters
        match self.0.char_indices().nth(MOST) {
            Some((end, _)) => write!(f, "{:?}… ({} bytes)", &self.0[..end], self.0.len()),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Appends `text` as a JSON string. Only what must be escaped is, so that equal texts give equal bytes.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_back() {
        for text in ["", "a", "\"\\/\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}", "é", "\u{1f600}", "a\\u0041"] {
            let mut json = String::new();
            write_string(&mut json, text);
            assert_eq!(json.len(), written_length(text));
            let mut reader = Reader::new(&json);
            assert_eq!(reader.string().unwrap(), text);
            reader.end().unwrap();
        }
        assert_eq!(Reader::new("\"\\u00e9\\uD83D\\ude00\\/\"").string().unwrap(), "é\u{1f600}/");
    }

    #[test]
    fn malformed_strings_are_refused() {
        for text in [
            "",
            "a",
            "\"",
            "\"a",
            "\"\\",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\n\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
        ] {
            assert!(Reader::new(text).string().is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_follow_the_grammar() {
        for text in ["0", "-0", "10", "1.5", "-1.25e-3", "1E+5", "0e0"] {
            let mut reader = Reader::new(text);
            assert_eq!(reader.number().unwrap(), text);
            reader.end().unwrap();
        }
        for text in ["", "-", "01", "+1", ".5", "1.", "1e", "1e+", "x", "--1"] {
            let mut reader = Reader::new(text);
            assert!(reader.number().is_err() || reader.end().is_err(), "{text:?}");
        }
        for text in ["-1", "1.5", "1e3", "18446744073709551616", "true", "\"1\""] {
            assert!(Reader::new(text).integer().is_err(), "{text:?}");
        }
        assert_eq!(Reader::new(" 18446744073709551615").integer().unwrap(), usize::MAX);
    }

    #[test]
    fn lists_end_where_they_should() {
        let length = |text: &str| -> Result<usize> {
            let mut reader = Reader::new(text);
            reader.pass(b'[')?;
            let mut n = 0;
            while reader.more(b']', n == 0)? {
                reader.scalar()?;
                n += 1;
            }
            reader.end()?;
            Ok(n)
        };
        assert_eq!(length("[]").unwrap(), 0);
        assert_eq!(length(" [ 1 , null,\"x\",false ] ").unwrap(), 4);
        assert_eq!(length("[NaN,Infinity,-Infinity]").unwrap(), 3);
        for text in ["", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[]x", "{}", "[nul]", "[True]"] {
            assert!(length(text).is_err(), "{text:?}");
        }
    }
}
