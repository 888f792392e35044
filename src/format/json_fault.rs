//! Where a text stops being JSON (RFC 8259). The parser in use says only that it does; a person needs the place.

use std::fmt;

/// The deepest nesting, which also bounds the memory that a text can take here.
const MAX_DEPTH: usize = 1000;

/// A place in a text. `Display` is `line 3, column 7`; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonPlace {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl fmt::Display for JsonPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The first character that cannot stand where it stands, or the end of a text that ends too early; `None` for JSON.
#[must_use]
pub fn first_fault(text: &str) -> Option<JsonPlace> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    if scanner.value_and_nothing_else() {
        return None;
    }
    let before = text.get(..scanner.at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(JsonPlace { line, column })
}

struct Scanner<'a> {
    bytes: &'a [u8],
    /// The first byte that is not accepted yet; at the start of a character.
    at: usize,
}

/// What is open around a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Array,
    Object,
}

impl Scanner<'_> {
    fn value_and_nothing_else(&mut self) -> bool {
        let mut open: Vec<Open> = Vec::new();
        loop {
            // A value begins here.
            self.space();
            let empty = match self.peek() {
                Some(b'[') => self.enter(&mut open, Open::Array, b']'),
                Some(b'{') => self.enter(&mut open, Open::Object, b'}'),
                _ if self.scalar() => Some(true),
                _ => None,
            };
            match empty {
                None => return false,
                Some(true) => {}
                Some(false) if open.last() == Some(&Open::Object) => {
                    if !self.key() {
                        return false;
                    }
                    continue;
                }
                Some(false) => continue,
            }
            // A value has ended here.
            loop {
                self.space();
                match (open.last(), self.peek()) {
                    (None, None) => return true,
                    (Some(Open::Array), Some(b']')) | (Some(Open::Object), Some(b'}')) => {
                        self.at += 1;
                        open.pop();
                    }
                    (Some(Open::Array), Some(b',')) => {
                        self.at += 1;
                        break;
                    }
                    (Some(Open::Object), Some(b',')) => {
                        self.at += 1;
                        self.space();
                        if !self.key() {
                            return false;
                        }
                        break;
                    }
                    _ => return false,
                }
            }
        }
    }

    /// Behind an opening bracket: whether it is closed at once. `None` where it is too deep.
    fn enter(&mut self, open: &mut Vec<Open>, kind: Open, close: u8) -> Option<bool> {
        if open.len() == MAX_DEPTH {
            return None;
        }
        self.at += 1;
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Some(true);
        }
        open.push(kind);
        Some(false)
    }

    fn key(&mut self) -> bool {
        if !self.string() {
            return false;
        }
        self.space();
        self.take(b':')
    }

    fn scalar(&mut self) -> bool {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => ["true", "false", "null"].iter().any(|word| self.word(word.as_bytes())),
        }
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let found = self.bytes[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn string(&mut self) -> bool {
        if !self.take(b'"') {
            return false;
        }
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return true;
                }
                Some(b'\\') => {
                    let length = match self.bytes.get(self.at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u') if self.hex(self.at + 2) => 6,
                        _ => return false,
                    };
                    self.at += length;
                }
                None | Some(0..=0x1f) => return false,
                Some(_) => self.at += 1,
            }
        }
    }

    fn hex(&self, from: usize) -> bool {
        self.bytes.get(from..from + 4).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    }

    fn number(&mut self) -> bool {
        self.take(b'-');
        if !self.take(b'0') && !self.digits() {
            return false;
        }
        if self.take(b'.') && !self.digits() {
            return false;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
            return self.digits();
        }
        true
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniserde::json::{self, Value};

    #[test]
    fn the_place_is_where_a_person_would_look() {
        for (text, place) in [
            ("", (1, 1)),
            ("{", (1, 2)),
            ("{\n  \"a\": 1,\n}", (3, 1)),
            ("{\n  \"a\": [1 2]\n}", (2, 11)),
            ("{\"a\" 1}", (1, 6)),
            ("{'a': 1}", (1, 2)),
            ("[\"\u{e4}\u{e4}\", x]", (1, 8)),
            ("{\"a\": \"x\ny\"}", (1, 9)),
            ("[01]", (1, 3)),
            ("[1.]", (1, 4)),
            ("nul", (1, 1)),
            ("{} {}", (1, 4)),
            ("[\"\\x\"]", (1, 3)),
            ("[1]]", (1, 4)),
            ("[1}", (1, 3)),
        ] {
            let found = first_fault(text).unwrap();
            assert_eq!((found.line, found.column), place, "{text:?}");
            assert!(json::from_str::<Value>(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_the_parser_takes_has_no_fault_and_the_other_way_round() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            "{\"a\":{\"b\":[1,-2.5e+3,0,true,false,null,\"\\u00e4\\n\",[],{}]},\"c\":\"\"}\n",
            "-0.0",
            "1E9",
        ] {
            assert_eq!(first_fault(text), None, "{text}");
            assert!(json::from_str::<Value>(text).is_ok(), "{text}");
        }
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"a\"", "1", "-", ".5", "e3", "true", "nul", " ", "\n", "\\", "\"",
            "\u{e4}", "\\u00e4",
        ];
        let mut seed = 5u32;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..7 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.push_str(pieces[(seed >> 8) as usize % pieces.len()]);
            }
            assert_eq!(first_fault(&text).is_none(), json::from_str::<Value>(&text).is_ok(), "{text:?}");
        }
        assert!(first_fault(&"[".repeat(100_000)).is_some());
    }
}
