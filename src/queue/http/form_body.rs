//! The body of a request: a form, or an answer that says what to send instead. What gmq acknowledges is what the platform gets, to the
//! byte: nothing is guessed, and nothing is replaced (docs/spec/failures.md, cases 04 and 05; openobserve#1681, WaveHouse#552, node-red#415, #4384).

use super::answer::AppAnswer;
use crate::format::form;
use crate::format::http::request::RequestHead;

/// The content type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// Pairs that are looked at, at the most: more than any request may have.
const MAX_PAIRS: usize = 10_002;
/// So much of a wrong part is quoted, in characters.
const MAX_SHOWN: usize = 60;

const INSTEAD: &str =
    "send a form, alias=value&..., as application/x-www-form-urlencoded, which is what `curl -d` and Python's `data=` send; \
     a value that is JSON is a value: device_report={\"a\": 1}";

/// The pairs of the body, decoded.
///
/// # Errors
/// 415: it is no form. 400: a part of it is none, or no UTF-8.
pub(super) fn pairs(head: &RequestHead, body: &[u8]) -> Result<Vec<(String, String)>, AppAnswer> {
    let coding = head.header("content-encoding").unwrap_or_default().to_ascii_lowercase();
    if !matches!(coding.as_str(), "" | "identity") {
        return Err(AppAnswer::error(
            415,
            &["no Content-Encoding ", &shown(coding.as_bytes()), ": send the body as it is"].concat(),
        ));
    }
    let kind = content_type(head);
    let is_declared = kind.as_deref().map_or(true, |kind| kind == FORM);
    let mut pairs = Vec::new();
    for part in body.split(|b| *b == b'&').filter(|part| !part.is_empty()).take(MAX_PAIRS) {
        let divider = part.iter().position(|b| *b == b'=');
        let key = part.get(..divider.unwrap_or(part.len())).unwrap_or_default();
        if pairs.is_empty() && (divider.is_none() || is_no_key(key) || (!is_declared && !is_plain(key))) {
            let kind = kind.as_deref().filter(|_| !is_declared).unwrap_or("a body that begins so");
            return Err(AppAnswer::error(415, &[kind, " is not taken here: ", INSTEAD].concat()));
        }
        let Some(divider) = divider else {
            let sentence = ["'", &shown(part), "' has no = in it: in a value, & is written %26"].concat();
            return Err(AppAnswer::error(400, &sentence));
        };
        let value = part.get(divider + 1..).unwrap_or_default();
        match (form::decode_exactly(key), form::decode_exactly(value)) {
            (Some(key), Some(value)) => pairs.push((key, value)),
            _ => {
                let sentence =
                    ["'", &shown(part), "' is not UTF-8: send it as UTF-8, or as text of your own, such as base64"];
                return Err(AppAnswer::error(400, &sentence.concat()));
            }
        }
    }
    Ok(pairs)
}

/// `Content-Type`, without its parameters, in lower case.
fn content_type(head: &RequestHead) -> Option<String> {
    let kind = head.header("content-type")?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(kind).filter(|kind| !kind.is_empty())
}

/// How JSON, XML, a multipart body and compressed bytes begin, and no alias.
fn is_no_key(key: &[u8]) -> bool {
    let start = key.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
    let key = key.get(start..).unwrap_or_default();
    key.starts_with(b"--") || matches!(key.first(), Some(b'{' | b'[' | b'"' | b'<' | 0..=0x1f)) || key.contains(&b'\n')
}

/// Whether it is the key of a form beyond doubt, whatever the head calls the body.
fn is_plain(key: &[u8]) -> bool {
    key.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'%' | b'+' | b'~' | b'*'))
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect()
}
