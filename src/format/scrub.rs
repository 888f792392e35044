//! Text of unknown origin made fit to be passed on: nothing in it speaks to a terminal, and no key of the agent's stands in it.
//!
//! Invariant: what is given is valid text whatever the bytes; nothing but line ends and tabs is left that is no visible character.

/// As long as a CIK, in characters: letters and digits.
const CIK: usize = 40;
/// So many of them are shown, as `config::Cik` does.
const SHOWN: usize = 8;
/// A shorter secret is none, and taking it out would take half the text with it.
const MIN_SECRET: usize = 4;
/// What stands in a secret's place.
const MASK: &str = "************";

/// Bytes as text in which only line ends and tabs are no visible characters: no escapes, no marks that turn a line's direction round.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if is_visible(c) || matches!(c, '\n' | '\t') { c } else { ' ' }).collect()
}

fn is_visible(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let ends_line = matches!(c, '\u{2028}' | '\u{2029}');
    !c.is_control() && !turns && !ends_line
}

/// Takes out what must not be passed on: these secrets, whatever looks like a CIK, and in URLs the name and password before the host
/// and all that stands behind the question mark.
#[must_use]
pub fn hide(text: &str, secrets: &[String]) -> String {
    let mut text = text.to_string();
    for secret in secrets.iter().filter(|secret| secret.len() >= MIN_SECRET) {
        if text.contains(secret.as_str()) {
            text = text.replace(secret.as_str(), &masked(secret));
        }
    }
    in_urls(&keys(&text))
}

/// What stands in a secret's place: of a CIK its beginning, by which people know it.
fn masked(secret: &str) -> String {
    if secret.len() == CIK && secret.bytes().all(|b| b.is_ascii_alphanumeric()) {
        [&secret[..SHOWN], &"*".repeat(CIK - SHOWN)].concat()
    } else {
        MASK.to_string()
    }
}

/// Each word of letters and digits that is as long as a CIK, masked.
fn keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.len() == CIK {
            out.push_str(&masked(word));
        } else {
            out.push_str(word);
        }
        let next = after.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(after.len());
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}

fn in_urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>');
        let (url, after) = after.split_at(after.find(ends).unwrap_or(after.len()));
        let host = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
        let from = host.rfind('@').unwrap_or(0);
        out.push_str(if from > 0 { "***" } else { "" });
        // A URL in another's path or query is no place to look for a second one.
        match url.find('?') {
            Some(query) => {
                out.push_str(&url[from..query]);
                out.push_str("?***");
            }
            None => out.push_str(&url[from..]),
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_speaks_to_a_terminal() {
        for (bytes, want) in [
            (&b"a\x1b[31mb\x07\r\n\tc"[..], " [31mb  \n\tc"),
            (b"\xff\xfe\0", "\u{fffd}\u{fffd} "),
            ("\u{9b}31m \u{202e}x\u{2066}\u{2028}é".as_bytes(), " 31m  x  é"),
            (b"", ""),
        ] {
            assert_eq!(printable(bytes).trim_start_matches('a'), want, "{bytes:?}");
        }
    }

    #[test]
    fn no_key_is_passed_on() {
        let cik = "0123456789abcdefABCDEF0123456789abcdef01";
        let masked = "01234567********************************";
        for (text, want) in [
            (format!("cik={cik}&x"), format!("cik={masked}&x")),
            (format!("{cik}{cik}"), format!("{cik}{cik}")),
            (format!("é{cik}é"), format!("é{masked}é")),
            (cik.to_string(), masked.to_string()),
            ("TargetToken s3cret-token.".to_string(), "TargetToken ************.".to_string()),
            ("the abc of it".to_string(), "the abc of it".to_string()),
            ("http://u:p@proxy:80/x?sig=1 y".to_string(), "http://***@proxy:80/x?*** y".to_string()),
            ("see https://h/a@b, \"ftp://u@h\"".to_string(), "see https://h/a@b, \"ftp://***@h\"".to_string()),
            ("://?://".to_string(), "://?***".to_string()),
            (":// ://".to_string(), ":// ://".to_string()),
        ] {
            assert_eq!(hide(&text, &["s3cret-token".to_string(), "abc".to_string(), String::new()]), want, "{text}");
        }
        // The gateway's own is known also where it is part of a longer word.
        assert_eq!(hide(&format!("{cik}{cik}_x{cik}y"), &[cik.to_string()]), format!("{masked}{masked}_x{masked}y"));
    }
}
