//! `application/x-www-form-urlencoded`, as the Device API speaks it (docs/spec/device-api.md).
//!
//! Sloppy input is decoded, never refused: a bad `%` escape stands for itself, `+` and `%20` are both a space.

use super::hex;

/// Appends `text` to `out`, everything but RFC 3986's unreserved characters percent-encoded.
pub fn encode_into(out: &mut String, text: &str) {
    for &b in text.as_bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
            out.push(b as char);
        } else {
            out.push('%');
            hex::push_upper(out, b);
        }
    }
}

/// `text`, percent-encoded.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text);
    out
}

/// Appends `&key=value` (without the `&` at the start of a body), both sides encoded.
pub fn push_pair(body: &mut String, key: &str, value: &str) {
    if !body.is_empty() {
        body.push('&');
    }
    encode_into(body, key);
    body.push('=');
    encode_into(body, value);
}

/// Decodes one side of a pair. Bytes that are no UTF-8 after decoding become U+FFFD.
#[must_use]
pub fn decode(text: &str) -> String {
    lossy(unescape(text.as_bytes(), b' '))
}

/// Decodes a path, where `+` is itself.
#[must_use]
pub fn decode_path(path: &str) -> String {
    lossy(unescape(path.as_bytes(), b'+'))
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// The same for bytes, where nothing may become another: `None` where they are no UTF-8 after decoding.
#[must_use]
pub fn decode_exactly(bytes: &[u8]) -> Option<String> {
    String::from_utf8(unescape(bytes, b' ')).ok()
}

fn unescape(bytes: &[u8], plus: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&b, tail)) = rest.split_first() {
        rest = tail;
        match b {
            b'+' => out.push(plus),
            b'%' => match tail {
                [high, low, after @ ..] => match hex::byte(*high, *low) {
                    Some(byte) => {
                        out.push(byte);
                        rest = after;
                    }
                    None => out.push(b'%'),
                },
                _ => out.push(b'%'),
            },
            other => out.push(other),
        }
    }
    out
}

/// The pairs of a body, decoded, in order. A part without `=` is a key with an empty value; empty parts are skipped. The
/// first `=` divides, so a value that arrives unencoded keeps its own.
pub fn pairs(body: &str) -> impl Iterator<Item = (String, String)> + '_ {
    body.split('&').filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((key, value)) => (decode(key), decode(value)),
        None => (decode(part), String::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_is_sloppy_and_total() {
        for (text, want) in [
            ("a+b%20c", "a b c"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%c3%A9", "é"),
            ("%ff", "\u{fffd}"),
            ("{\"a\": 1}", "{\"a\": 1}"),
            ("%%41", "%A"),
        ] {
            assert_eq!(decode(text), want, "{text}");
        }
        assert_eq!(decode_path("/a+b%20c%3A%2"), "/a+b c:%2");
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        for text in ["", "a&b=c%d+e f", "é\n\0\u{1F600}", "-._~"] {
            assert_eq!(decode(&encode(text)), text);
        }
        let mut body = String::new();
        push_pair(&mut body, "a", "1&2");
        push_pair(&mut body, "b c", "=");
        assert_eq!(body, "a=1%262&b%20c=%3D");
        assert_eq!(pairs(&body).collect::<Vec<_>>(), [("a".into(), "1&2".into()), ("b c".into(), "=".into())]);
    }

    #[test]
    fn pairs_of_sloppy_bodies() {
        let got: Vec<_> = pairs("&a&b=&=c&d=e=f&").collect();
        let want = [("a", ""), ("b", ""), ("", "c"), ("d", "e=f")];
        assert_eq!(got, want.map(|(k, v)| (k.to_string(), v.to_string())));
    }
}
