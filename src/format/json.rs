//! Writes JSON (RFC 8259), one value after another, into a string whose length can be watched and taken back.
//!
//! For texts whose keys or length are known only as they are written; what is a type of ours is miniserde's to write and to read. The caller sees
//! to it that objects hold pairs and that what is begun is ended.

use super::hex;

/// What a cut string ends with.
const ELLIPSIS: char = '…';

/// A JSON text in the making.
#[derive(Debug, Default)]
pub struct Json {
    text: String,
}

impl Json {
    /// An empty text.
    #[must_use]
    pub fn new() -> Json {
        Json::default()
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    /// Bytes written so far.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // nobody asks
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Takes back all that was written since [`len`](Json::len) was `length`.
    pub fn take_back(&mut self, length: usize) {
        self.text.truncate(length);
    }

    /// Begins an object.
    pub fn begin_object(&mut self) {
        self.separate();
        self.text.push('{');
    }

    /// Ends it.
    pub fn end_object(&mut self) {
        self.text.push('}');
    }

    /// Begins an array.
    pub fn begin_array(&mut self) {
        self.separate();
        self.text.push('[');
    }

    /// Ends it.
    pub fn end_array(&mut self) {
        self.text.push(']');
    }

    /// The key of the pair whose value comes next.
    pub fn key(&mut self, key: &str) {
        self.string(key);
        self.text.push(':');
    }

    /// An object of these pairs.
    pub fn pairs(&mut self, pairs: &[(String, String)]) {
        self.begin_object();
        for (key, value) in pairs {
            self.key(key);
            self.string(value);
        }
        self.end_object();
    }

    /// A string.
    pub fn string(&mut self, value: &str) {
        self.separate();
        self.text.push('"');
        value.chars().for_each(|c| push_escaped(&mut self.text, c));
        self.text.push('"');
    }

    /// A number.
    pub fn unsigned(&mut self, value: u64) {
        self.separate();
        self.text.push_str(&value.to_string());
    }

    /// A number that may be negative.
    pub fn signed(&mut self, value: i64) {
        self.separate();
        self.text.push_str(&value.to_string());
    }

    /// A comma, unless this is the first value of an array or object, or the value of a key. What was written last tells:
    /// a string ends with its quote, so nothing inside one is taken for structure.
    fn separate(&mut self) {
        if !matches!(self.text.bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.text.push(',');
        }
    }
}

/// How many bytes `text` takes within a JSON string.
#[must_use]
pub fn escaped_len(text: &str) -> usize {
    let mut escaped = String::with_capacity(text.len());
    text.chars().for_each(|c| push_escaped(&mut escaped, c));
    escaped.len()
}

/// At most `limit` characters of `text`; where it was cut, the last of them is `…`.
#[must_use]
pub fn shortened(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_string();
    }
    text.chars().take(limit.saturating_sub(1)).chain([ELLIPSIS]).collect()
}

fn push_escaped(text: &mut String, c: char) {
    let short = match c {
        '"' | '\\' => c,
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\0'..='\x1f' => {
            text.push_str("\\u");
            return hex::push(text, u32::from(c), 4);
        }
        _ => return text.push(c),
    };
    text.push('\\');
    text.push(short);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str) -> String {
        let mut json = Json::new();
        json.string(value);
        json.finish()
    }

    #[test]
    fn every_character_comes_back_from_a_parser_as_it_went_in() {
        for code in (0..0x300).chain([0x2028, 0x2029, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x1f600, 0x10ffff]) {
            let text = format!("a{}b", char::from_u32(code).unwrap());
            let json = written(&text);
            assert!(json.bytes().all(|byte| byte >= 0x20), "{code:x}: a control character stands raw in {json:?}");
            assert_eq!(miniserde::json::from_str::<String>(&json).unwrap(), text, "{code:x}");
            assert_eq!(escaped_len(&text), json.len() - 2, "{code:x}");
        }
    }

    #[test]
    fn escapes_are_those_of_the_rfc() {
        assert_eq!(written("\"\\/\n\r\t"), r#""\"\\/\n\r\t""#);
        assert_eq!(written("\0\x08\x1f\x7fé"), "\"\\u0000\\u0008\\u001f\x7fé\"");
    }

    #[test]
    fn commas_stand_between_values_and_nowhere_else() {
        let mut json = Json::new();
        json.begin_object();
        json.key("a[");
        json.begin_array();
        json.end_array();
        json.key("b{:");
        json.begin_array();
        json.unsigned(u64::MAX);
        json.signed(i64::MIN);
        json.string("{");
        json.string("");
        json.begin_object();
        json.end_object();
        json.begin_object();
        json.end_object();
        json.end_array();
        json.end_object();
        let expected = r#"{"a[":[],"b{:":[18446744073709551615,-9223372036854775808,"{","",{},{}]}"#;
        assert_eq!(json.finish(), expected);
    }

    #[test]
    fn what_was_written_can_be_taken_back() {
        let mut json = Json::new();
        json.begin_array();
        json.unsigned(1);
        let length = json.len();
        json.string("too long");
        json.take_back(length);
        json.unsigned(2);
        json.end_array();
        assert_eq!(json.finish(), "[1,2]");
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_shows_it() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
        assert_eq!(shortened("", 0), "");
    }
}
