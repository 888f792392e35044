//! `%(name)s` in option values, as supervisord expands it with Python's `%` operator.
//!
//! Stricter than Python on purpose, where what Python does cannot have been meant: a `%s` without a name prints supervisord's
//! whole environment; `r`, `a`, `c`, precisions and the float formats; widths that fill the memory.

use std::fmt;

/// The widest field that is accepted, in characters.
const MAX_WIDTH: usize = 200;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PercentValue {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// It exists on the gateway, and only there: the value cannot be told here.
    Elsewhere,
}

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PercentError {
    /// Nobody knows this name.
    Unknown(String),
    /// A percent sign that begins no `%(name)s`. Python takes `% s` and the like for a wish to see everything it knows.
    Lone,
    /// The text ends within a format.
    Incomplete,
    /// A `(` without its partner.
    IncompleteKey,
    /// This letter, the so-manieth character, is no format, or none that is wanted here.
    Unsupported(char, usize),
    /// This letter wants a number.
    NoNumber(char),
    /// The field is wider than [`MAX_WIDTH`].
    TooWide,
}

impl fmt::Display for PercentError {
    /// What Python says, where it says something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PercentError::Unknown(name) => f.write_str(name),
            PercentError::Lone => f.write_str("a percent sign must be doubled"),
            PercentError::Incomplete => f.write_str("incomplete format"),
            PercentError::IncompleteKey => f.write_str("incomplete format key"),
            PercentError::Unsupported(c, at) => {
                write!(f, "unsupported format character '{c}' ({:#x}) at index {at}", u32::from(*c))
            }
            PercentError::NoNumber(c @ ('x' | 'X' | 'o')) => write!(f, "%{c} format: an integer is required, not str"),
            PercentError::NoNumber(c) => write!(f, "%{c} format: a real number is required, not str"),
            PercentError::TooWide => f.write_str("width too big"),
        }
    }
}

/// Expands `text`; `Ok(None)` where it holds a value that cannot be told here.
///
/// # Errors
/// A name that `lookup` does not know, or a bad format.
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<PercentValue>) -> Result<Option<String>, PercentError> {
    let mut out = String::with_capacity(text.len());
    let mut known = true;
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (name, after) = name(rest, text)?;
        // Python looks a name up before it looks at what follows.
        let value = lookup(name).ok_or_else(|| PercentError::Unknown(name.to_string()))?;
        let (format, after) = Format::read(after, text)?;
        match value {
            PercentValue::Text(text) => format.text(&text, &mut out)?,
            PercentValue::Number(number) => format.number(number, &mut out)?,
            PercentValue::Elsewhere if format.conversion == 's' => known = false,
            PercentValue::Elsewhere => return Err(PercentError::NoNumber(format.conversion)),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(known.then_some(out))
}

/// Writes `text` so that expanding it gives it back.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('%', "%%")
}

/// `(name)`, whose parentheses may nest.
fn name<'a>(text: &'a str, whole: &str) -> Result<(&'a str, &'a str), PercentError> {
    let Some(inner) = text.strip_prefix('(') else {
        let flags: &[char] = &['-', '0', '#', '+', ' ', '1', '2', '3', '4', '5', '6', '7', '8', '9', '.'];
        let letter = text.trim_start_matches(flags);
        return Err(match letter.chars().next() {
            None => PercentError::Incomplete,
            Some(c) if c.is_ascii_alphabetic() || c == '%' => PercentError::Lone,
            Some(c) => PercentError::Unsupported(c, index_of(letter, whole)),
        });
    };
    let mut depth = 1;
    for (at, c) in inner.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((&inner[..at], &inner[at + 1..]));
        }
    }
    Err(PercentError::IncompleteKey)
}

/// The place of `rest`, an end of `whole`, in characters.
fn index_of(rest: &str, whole: &str) -> usize {
    whole.chars().count().saturating_sub(rest.chars().count())
}

/// What follows the name: `02d`, `s`, `-10s`.
struct Format {
    left: bool,
    zeros: bool,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    conversion: char,
}

impl Format {
    fn read<'a>(text: &'a str, whole: &str) -> Result<(Format, &'a str), PercentError> {
        let mut format = Format { left: false, zeros: false, sign: None, alternate: false, width: 0, conversion: 's' };
        let mut flags = true;
        for (at, c) in text.char_indices() {
            match c {
                '-' if flags => format.left = true,
                '0' if flags => format.zeros = true,
                '#' if flags => format.alternate = true,
                '+' if flags => format.sign = Some('+'),
                ' ' if flags => format.sign = format.sign.or(Some(' ')),
                '0'..='9' => {
                    flags = false;
                    format.width = format.width * 10 + (c as usize - '0' as usize);
                    if format.width > MAX_WIDTH {
                        return Err(PercentError::TooWide);
                    }
                }
                's' | 'd' | 'i' | 'u' | 'x' | 'X' | 'o' => {
                    format.conversion = c;
                    return Ok((format, &text[at + 1..]));
                }
                _ => return Err(PercentError::Unsupported(c, index_of(&text[at..], whole))),
            }
        }
        Err(PercentError::Incomplete)
    }

    fn text(&self, text: &str, out: &mut String) -> Result<(), PercentError> {
        if self.conversion != 's' {
            return Err(PercentError::NoNumber(self.conversion));
        }
        self.pad("", text, false, out);
        Ok(())
    }

    fn number(&self, number: i64, out: &mut String) -> Result<(), PercentError> {
        let size = number.unsigned_abs();
        let (prefix, digits) = match self.conversion {
            's' => {
                self.pad("", &number.to_string(), false, out);
                return Ok(());
            }
            'x' => ("0x", format!("{size:x}")),
            'X' => ("0X", format!("{size:X}")),
            'o' => ("0o", format!("{size:o}")),
            _ => ("", size.to_string()),
        };
        let mut lead = String::new();
        lead.extend(if number < 0 { Some('-') } else { self.sign });
        if self.alternate {
            lead.push_str(prefix);
        }
        self.pad(&lead, &digits, self.zeros, out);
        Ok(())
    }

    fn pad(&self, lead: &str, body: &str, zeros: bool, out: &mut String) {
        let missing = self.width.saturating_sub(lead.chars().count() + body.chars().count());
        let fill = |out: &mut String, c| out.extend(std::iter::repeat(c).take(missing));
        if self.left {
            out.push_str(lead);
            out.push_str(body);
            fill(out, ' ');
        } else if zeros {
            out.push_str(lead);
            fill(out, '0');
            out.push_str(body);
        } else {
            fill(out, ' ');
            out.push_str(lead);
            out.push_str(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<PercentValue> {
        match name {
            "app" => Some(PercentValue::Text("my_app".into())),
            "num" => Some(PercentValue::Number(7)),
            "neg" => Some(PercentValue::Number(-7)),
            "a(b)" => Some(PercentValue::Text("nested".into())),
            "ENV_X" => Some(PercentValue::Elsewhere),
            _ => None,
        }
    }

    #[test]
    fn formats_as_python_does() {
        // The right-hand sides are what Python 3.11 prints.
        for (text, want) in [
            ("plain", "plain"),
            ("%(app)s", "my_app"),
            ("100%% %(app)s_%(num)02d", "100% my_app_07"),
            ("%(app)10s|%(app)-10s|", "    my_app|my_app    |"),
            ("%(app)010s", "    my_app"),
            ("%(num)s %(num)5s %(num)d %(num)i %(num)u", "7     7 7 7 7"),
            ("%(num)+d % %(num)x", ""),
            ("%(neg)05d %(num)#x %(num)#o %(num)#06x %(num)X", "-0007 0x7 0o7 0x0007 7"),
            ("%(num)-4d|", "7   |"),
            ("%(a(b))s", "nested"),
        ] {
            if want.is_empty() {
                assert!(expand(text, &lookup).is_err(), "{text}");
            } else {
                assert_eq!(expand(text, &lookup).unwrap().unwrap(), want, "{text}");
            }
        }
        assert_eq!(expand("%(ENV_X)s", &lookup), Ok(None));
        assert_eq!(expand(&escape("50% of %(app)s"), &lookup).unwrap().unwrap(), "50% of %(app)s");
    }

    #[test]
    fn refuses_what_python_refuses() {
        for (text, want) in [
            ("%(nope)s", PercentError::Unknown("nope".into())),
            ("%(nope)q", PercentError::Unknown("nope".into())),
            ("50%", PercentError::Incomplete),
            ("date +%s", PercentError::Lone),
            ("100% sure", PercentError::Lone),
            ("\u{e9}%,x", PercentError::Unsupported(',', 2)),
            ("%(app", PercentError::IncompleteKey),
            ("%(app)", PercentError::Incomplete),
            ("%(app)d", PercentError::NoNumber('d')),
            ("%(app)q", PercentError::Unsupported('q', 6)),
            ("%(app)99999999999s", PercentError::TooWide),
            ("%(ENV_X)d", PercentError::NoNumber('d')),
        ] {
            assert_eq!(expand(text, &lookup), Err(want), "{text}");
        }
        assert_eq!(PercentError::Unsupported('q', 6).to_string(), "unsupported format character 'q' (0x71) at index 6");
    }
}
