//! `application/x-www-form-urlencoded`, as sloppy as the platform: decoding never fails.

/// Decodes `%XX` and `+`. A bad escape stands for itself; bytes that are no UTF-8 become U+FFFD.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], escaped(&bytes[at..])) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The byte that `%XX` at the start of `bytes` stands for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let high = (*bytes.get(1)? as char).to_digit(16)?;
    let low = (*bytes.get(2)? as char).to_digit(16)?;
    Some((high * 16 + low) as u8)
}

/// Encodes everything but RFC 3986's unreserved characters.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte as char);
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The decoded pairs of a body or query, in order; `None` where a key has no `=`. Empty pieces are skipped.
pub fn pairs(text: &str) -> Vec<(String, Option<String>)> {
    text.split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| match piece.split_once('=') {
            Some((key, value)) => (decode(key), Some(decode(value))),
            None => (decode(piece), None),
        })
        .collect()
}

/// The value of the first pair with this key; `None` where there is none or it has no `=`.
pub fn value<'a>(pairs: &'a [(String, Option<String>)], key: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().find(|(name, _)| name == key)?;
    value.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_never_fails() {
        for (text, decoded) in [
            ("a%20b+c", "a b c"),
            ("100%", "100%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("%+1", "% 1"),
            ("%C3%A9", "é"),
            ("%ff", "\u{fffd}"),
            ("{\"a\": 1}", "{\"a\": 1}"),
        ] {
            assert_eq!(decode(text), decoded, "{text}");
        }
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let all: String = (1u8..128).map(char::from).chain("é€𝄞".chars()).collect();
        assert_eq!(decode(&encode(&all)), all);
        assert_eq!(encode("a-b_c.d~e f"), "a-b_c.d~e%20f");
    }

    #[test]
    fn pairs_keep_order_and_know_a_missing_value() {
        let found = pairs("a=1&&b=x=y&c&a=");
        let expected = [("a", Some("1")), ("b", Some("x=y")), ("c", None), ("a", Some(""))];
        let expected: Vec<_> = expected.iter().map(|(k, v)| (k.to_string(), v.map(str::to_string))).collect();
        assert_eq!(found, expected);
    }
}
