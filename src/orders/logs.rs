//! What an order asks for of logs: `{"my_app": 200, "gwe": 100}`, the newest lines of each (Azure/iotedge#1596 and #3356, elastic-agent's
//! diagnostics).

use std::fmt;

use miniserde::json::{self, Value};

use super::number;

/// The file of a module that asks for logs and for nothing else, where orders have files.
pub const FILE_NAME: &str = "logs.json";
/// The largest such file, in bytes.
pub const MAX_FILE: u64 = 16 * 1024;
/// How many programs one order may ask about.
pub const MAX_WISHES: usize = 16;
/// How many lines of each it may ask for.
pub const MAX_LINES: u64 = 1000;
/// The longest name of a program, in bytes.
const MAX_NAME: usize = 100;

/// One log that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The app, or the program of the image's. Not yet known to be there.
    pub program: String,
    /// How many of its newest lines.
    pub lines: usize,
}

/// Why nobody knows what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogsFault {
    /// No JSON object of names and numbers.
    NoObject,
    /// It names nothing.
    Empty,
    /// More than [`MAX_WISHES`].
    TooMany,
    /// A name longer than any program's, or with what speaks to a terminal.
    BadName,
    /// No whole number from 1 to [`MAX_LINES`].
    BadLines,
}

impl fmt::Display for LogsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogsFault::NoObject => r#"logs is not of the form {"<APP>": <LINES>}"#,
            LogsFault::Empty => "logs names no program",
            LogsFault::TooMany => "logs names more than 16 programs",
            LogsFault::BadName => "logs has a name that is no program's",
            LogsFault::BadLines => "logs has a number of lines that is not one from 1 to 1000",
        })
    }
}

/// Reads the wishes, in the order of names.
///
/// # Errors
/// One of them cannot be understood: then none counts.
pub fn wishes(value: &Value) -> Result<Vec<Wish>, LogsFault> {
    let Value::Object(object) = value else { return Err(LogsFault::NoObject) };
    match object.len() {
        0 => return Err(LogsFault::Empty),
        n if n > MAX_WISHES => return Err(LogsFault::TooMany),
        _ => {}
    }
    let wish = |(program, lines): (&String, &Value)| {
        if program.is_empty() || program.len() > MAX_NAME || program.chars().any(char::is_control) {
            return Err(LogsFault::BadName);
        }
        Ok(Wish { program: program.clone(), lines: count(lines).ok_or(LogsFault::BadLines)? })
    };
    object.iter().map(wish).collect()
}

/// Reads a file that asks for logs.
///
/// # Errors
/// It cannot be understood.
pub fn parse(bytes: &[u8]) -> Result<Vec<Wish>, LogsFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| LogsFault::NoObject)?;
    let value = json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| LogsFault::NoObject)?;
    match &value {
        // The same as at the other source of orders, as whoever knows that one writes it.
        Value::Object(object) if object.len() == 1 => match object.get("logs") {
            Some(inner @ Value::Object(_)) => wishes(inner),
            _ => wishes(&value),
        },
        _ => wishes(&value),
    }
}

fn count(value: &Value) -> Option<usize> {
    number::whole(value).filter(|number| (1..=MAX_LINES).contains(number)).map(|number| number as usize)
}

#[cfg(test)]
mod tests {
    use super::super::request;
    use super::*;

    #[test]
    fn what_is_asked_for_is_understood_or_refused_as_a_whole() {
        let wish = |program: &str, lines| Wish { program: program.into(), lines };
        let many = format!("{{{}}}", (0..17).map(|n| format!("\"a{n}\": 1")).collect::<Vec<_>>().join(","));
        let long = format!("{{\"{}\": 1}}", "a".repeat(101));
        for (text, want) in [
            (r#"{"my_app": 200, "gwe": 100}"#, Ok(vec![wish("gwe", 100), wish("my_app", 200)])),
            (r#"{"logs": {"gwe": 1}}"#, Ok(vec![wish("gwe", 1)])),
            (r#"{"logs": 7}"#, Ok(vec![wish("logs", 7)])),
            ("\u{feff}{\"gwe\": 1e3}", Ok(vec![wish("gwe", 1000)])),
            ("{}", Err(LogsFault::Empty)),
            ("[]", Err(LogsFault::NoObject)),
            ("", Err(LogsFault::NoObject)),
            (many.as_str(), Err(LogsFault::TooMany)),
            (long.as_str(), Err(LogsFault::BadName)),
            (r#"{"": 1}"#, Err(LogsFault::BadName)),
            (r#"{"a\u001b": 1}"#, Err(LogsFault::BadName)),
            (r#"{"a": 0}"#, Err(LogsFault::BadLines)),
            (r#"{"a": 1001}"#, Err(LogsFault::BadLines)),
            (r#"{"a": -1}"#, Err(LogsFault::BadLines)),
            (r#"{"a": 1.5}"#, Err(LogsFault::BadLines)),
            (r#"{"a": "7"}"#, Err(LogsFault::BadLines)),
            (r#"{"a": 1, "b": null}"#, Err(LogsFault::BadLines)),
        ] {
            assert_eq!(parse(text.as_bytes()), want, "{text}");
        }
        assert_eq!(parse(b"\xff"), Err(LogsFault::NoObject));
    }

    #[test]
    fn logs_are_asked_for_beside_installs_or_alone_and_neither_refuses_the_other() {
        for (text, entries, wishes) in [
            (r#"{"logs": {"gwe": 7}}"#, 0, Ok(1)),
            (r#"{"install": [], "logs": {"gwe": 7, "app": 1}}"#, 0, Ok(2)),
            (r#"{"install": null, "logs": {"gwe": 7}}"#, 0, Ok(1)),
            (r#"{"install": [{"name": "a"}], "logs": {"gwe": 7}}"#, 1, Ok(1)),
            (r#"{"install": [{"name": "a"}], "logs": null}"#, 1, Ok(0)),
            (r#"{"install": [{"name": "a"}], "logs": ["gwe"]}"#, 1, Err(LogsFault::NoObject)),
            (r#"{"logs": {}}"#, 0, Err(LogsFault::Empty)),
        ] {
            let request = request::parse(text).unwrap().unwrap();
            assert_eq!((request.entries.len(), request.logs.map(|logs| logs.len())), (entries, wishes), "{text}");
        }
        assert_eq!(request::parse(r#"{"install": {}, "logs": {"gwe": 7}}"#), Err(request::RequestError::NoRequest));
        let beside = request::parse(r#"{"remove": ["a"], "cancel": ["b"], "logs": {"gwe": 7}}"#).unwrap().unwrap();
        assert_eq!((beside.remove.len(), beside.cancel.len(), beside.logs.map(|logs| logs.len())), (1, 1, Ok(1)));
        assert_eq!(request::parse(r#"{"logs": null}"#), Err(request::RequestError::NoRequest));
    }
}
