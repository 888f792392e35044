//! `engine_fetch`: the cloud's request, as text (spec: gateway-engine.md, "The loop", step 4).

use std::fmt;

use miniserde::{json, Deserialize};

/// The longest request that is read, in bytes.
pub const MAX_REQUEST: usize = 64 * 1024;
/// How many apps one request may name.
pub const MAX_ENTRIES: usize = 32;
/// The longest name in an entry, in bytes, that is quoted or stored.
const MAX_NAME: usize = 200;

/// One entry of `install`. Unknown keys are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// The tarball's name in the content area. Not yet checked.
    pub name: String,
    /// Ours: the tarball's SHA-256 in hex.
    pub sha256: Option<String>,
    /// Ours: the tarball's size in bytes.
    pub size: Option<u64>,
}

#[derive(Deserialize)]
struct Request {
    install: Vec<Entry>,
}

/// Why a text is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Longer than [`MAX_REQUEST`].
    TooLong,
    /// No JSON object with `install`, a list of objects with `name`.
    NoRequest,
    /// More than [`MAX_ENTRIES`].
    TooMany,
    /// The list is empty.
    Empty,
    /// A name longer than any tarball's.
    NameTooLong,
    /// `sha256` is not 64 hexadecimal digits.
    BadHash,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RequestError::TooLong => "engine_fetch is longer than 64 KiB",
            RequestError::NoRequest => {
                r#"engine_fetch is not of the form {"install": [{"name": "<APP>.v<VERSION>.tar.gz"}]}"#
            }
            RequestError::TooMany => "engine_fetch names more than 32 apps",
            RequestError::Empty => "engine_fetch names no app to install",
            RequestError::NameTooLong => "engine_fetch has a name of more than 200 bytes",
            RequestError::BadHash => "engine_fetch has a sha256 that is not 64 hexadecimal digits",
        })
    }
}

/// As much of a text as is kept, to know it again: all of it, unless it is longer than a request may be.
#[must_use]
pub fn beginning(text: &str) -> &str {
    let end = (0..=MAX_REQUEST.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    &text[..end]
}

/// Reads a request; `Ok(None)` where there is nothing to do (`null`, `""`, white space).
///
/// # Errors
/// The text asks for something that cannot be understood: the alias is cleared, and `fetch_status` says this.
pub fn parse(text: &str) -> Result<Option<Vec<Entry>>, RequestError> {
    let text = text.trim();
    if matches!(text, "" | "null" | "\"\"") {
        return Ok(None);
    }
    if text.len() > MAX_REQUEST {
        return Err(RequestError::TooLong);
    }
    let request: Request = json::from_str(text).map_err(|_| RequestError::NoRequest)?;
    check(&request.install)?;
    Ok(Some(request.install))
}

fn check(entries: &[Entry]) -> Result<(), RequestError> {
    if entries.is_empty() {
        return Err(RequestError::Empty);
    }
    if entries.len() > MAX_ENTRIES {
        return Err(RequestError::TooMany);
    }
    if entries.iter().any(|entry| entry.name.len() > MAX_NAME) {
        return Err(RequestError::NameTooLong);
    }
    let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    if entries.iter().filter_map(|entry| entry.sha256.as_ref()).any(|hash| !is_hash(hash)) {
        return Err(RequestError::BadHash);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_with_and_without_our_keys() {
        let hash = "0".repeat(64);
        let text = format!(
            r#" {{"install": [{{"name": "a.v1.tar.gz"}}, {{"name":"b.v2.tar.gz","sha256":"{hash}","size":7,"x":[{{}}]}}], "y": 1}} "#
        );
        let entries = parse(&text).unwrap().unwrap();
        assert_eq!(entries[0], Entry { name: "a.v1.tar.gz".into(), sha256: None, size: None });
        assert_eq!(entries[1], Entry { name: "b.v2.tar.gz".into(), sha256: Some(hash), size: Some(7) });
    }

    #[test]
    fn nothing_to_do() {
        for text in ["", " \n", "null", "\"\"", " null "] {
            assert_eq!(parse(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_request_says_why() {
        let many = format!(r#"{{"install":[{}]}}"#, vec![r#"{"name":"a"}"#; 33].join(","));
        let long = format!(r#"{{"install":[{{"name":"{}"}}]}}"#, "a".repeat(201));
        let deep = "[".repeat(60_000);
        for (text, want) in [
            ("{", RequestError::NoRequest),
            ("[]", RequestError::NoRequest),
            ("{}", RequestError::NoRequest),
            (r#"{"install": {"name": "a"}}"#, RequestError::NoRequest),
            (r#"{"install": [{"nam": "a"}]}"#, RequestError::NoRequest),
            (r#"{"install": [{"name": 1}]}"#, RequestError::NoRequest),
            (r#"{"install": [{"name": "a", "size": -1}]}"#, RequestError::NoRequest),
            (r#"{"install": []}"#, RequestError::Empty),
            (r#"{"install": [{"name": "a", "sha256": "12"}]}"#, RequestError::BadHash),
            (many.as_str(), RequestError::TooMany),
            (long.as_str(), RequestError::NameTooLong),
            (deep.as_str(), RequestError::NoRequest),
            (&"x".repeat(MAX_REQUEST + 1), RequestError::TooLong),
        ] {
            assert_eq!(parse(text), Err(want), "{}", &text[..text.len().min(60)]);
        }
    }
}
