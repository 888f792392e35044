//! Whether it is the platform that answered (docs/spec/failures.md, "Doubtful inputs"). A network's login gateway answers in the
//! platform's place, a balancer in its own: 204 to everything, or 200 with `{"error": …}`. What such an answer acknowledged would be lost.
//!
//! What has a body must have the shape that the call brings. What has none proves nothing by itself: over TLS, and on this machine, nobody
//! else can have sent it; on any other way the platform is asked for its time right after it, which only it tells.

use crate::format::form;
use crate::http;

/// Alias and value.
pub(super) type Values = Vec<(String, String)>;

/// Whether an answer says nothing.
pub(super) fn is_blank(body: &[u8]) -> bool {
    body.iter().all(u8::is_ascii_whitespace)
}

/// The values in an answer to a read of these aliases. It names the first of them first, or another, but none that was not asked for.
///
/// # Errors
/// It is something else: what it says.
pub(super) fn values_of(body: &[u8], aliases: &[&str]) -> Result<Values, String> {
    if is_blank(body) {
        return Ok(Values::new());
    }
    let values: Values = form::pairs(&String::from_utf8_lossy(body)).collect();
    match values.first() {
        Some((name, _)) if !aliases.contains(&name.as_str()) => Err(instead(body)),
        _ => Ok(values),
    }
}

/// The lines of a list. A JSON object is none.
///
/// # Errors
/// It is something else: what it says.
pub(super) fn lines_of(body: &[u8]) -> Result<Vec<String>, String> {
    let text = String::from_utf8_lossy(body);
    match text.trim_start().starts_with('{') {
        true => Err(instead(body)),
        false => Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect()),
    }
}

/// What came in place of an answer.
pub(super) fn instead(body: &[u8]) -> String {
    format!("'{}' is nothing that the platform says there", http::excerpt(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_what_was_asked_for() {
        let asked = ["engine_fetch", "a b"];
        for (body, want) in [
            ("", Some(0)),
            ("\r\n", Some(0)),
            ("engine_fetch=", Some(1)),
            ("a%20b=1&engine_fetch={\"install\": [\"x&y=z\"]}", Some(3)),
            ("engine_fetch={\"error\": 1}", Some(1)),
            ("{\"error\": \"no such device\"}", None),
            ("{\"error\": \"a&engine_fetch=x\"}", None),
            ("OK", None),
            ("other=1", None),
        ] {
            assert_eq!(values_of(body.as_bytes(), &asked).ok().map(|values| values.len()), want, "{body:?}");
        }
    }

    #[test]
    fn a_list_is_no_object() {
        assert_eq!(lines_of(b"a.v1.tar.gz\r\n\r\n b\n").unwrap(), ["a.v1.tar.gz", "b"]);
        assert!(lines_of(b"").unwrap().is_empty());
        assert!(lines_of(b" {\"error\": \"x\"}").unwrap_err().contains("error"));
    }
}
