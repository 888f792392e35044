//! Two small things of Python that supervisord's configuration and messages are made of: how it reads a number, and how it shows a text.

use super::hex;

/// Python's `int(text, base)`: white space around, a sign, single `_` between digits, and in base 8 a `0o` in front.
#[must_use]
pub fn int(text: &str, base: u32) -> Option<i64> {
    let text = text.trim();
    let (negative, text) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let prefixed = text.strip_prefix("0o").or_else(|| text.strip_prefix("0O")).filter(|_| base == 8);
    // Behind `0o` one `_` may stand.
    let text = prefixed.map_or(text, |rest| rest.strip_prefix('_').unwrap_or(rest));
    let mut value: i64 = 0;
    let mut digit_before = false;
    for c in text.chars() {
        match (c.to_digit(base), c) {
            (Some(digit), _) => {
                value = value.checked_mul(i64::from(base))?.checked_add(i64::from(digit))?;
                digit_before = true;
            }
            (None, '_') if digit_before => digit_before = false,
            _ => return None,
        }
    }
    digit_before.then_some(if negative { -value } else { value })
}

/// The whole part of what Python's `float` reads, kept within an `i64`: `-1.5e3` is -1500, no number is 0. The standard library's way to
/// read a float has 17 kB of tables.
#[must_use]
pub fn whole_part(text: &str) -> Option<i64> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_word = |known: &[&str]| known.iter().any(|word| unsigned.eq_ignore_ascii_case(word));
    let size = match unsigned {
        _ if is_word(&["nan"]) => 0,
        _ if is_word(&["inf", "infinity"]) => i64::MAX,
        number => whole_size(number)?,
    };
    Some(match text.starts_with('-') {
        true if size == i64::MAX => i64::MIN,
        true => -size,
        false => size,
    })
}

/// Digits, a point and more of them, an exponent: all but some digit may be missing.
fn whole_size(number: &str) -> Option<i64> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        None => (number, 0),
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            let size = is_number.then(|| digits.parse().unwrap_or(i64::MAX))?;
            (mantissa, if exponent.starts_with('-') { -size } else { size })
        }
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, part].concat();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    let zeros = digits.len() - significant.len();
    let places = i64::try_from(whole.len()).ok()?.saturating_add(exponent).saturating_sub(i64::try_from(zeros).ok()?);
    let shown = significant.bytes().chain(std::iter::repeat(b'0'));
    // An `i64` has 19 digits at most: one more, and it is full.
    let places = if significant.is_empty() { 0 } else { usize::try_from(places).unwrap_or(0).min(20) };
    Some(shown.take(places).fold(0, |size: i64, digit| size.saturating_mul(10).saturating_add(i64::from(digit - b'0'))))
}

/// Python's `repr(text)`: in single quotes, unless there are some and no double ones; what cannot be seen as `\n`, `\x1b`, `\u200b`.
#[must_use]
pub fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() || c == '\u{a0}' || c == '\u{ad}' => {
                out.push_str("\\x");
                hex::push(&mut out, u32::from(c), 2);
            }
            '\u{200b}'..='\u{200f}' | '\u{2000}'..='\u{200a}' | '\u{2028}'..='\u{202f}' | '\u{feff}' | '\u{fffe}' => {
                out.push_str("\\u");
                hex::push(&mut out, u32::from(c), 4);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_part_of_a_float_is_what_the_standard_library_reads() {
        for text in [
            "0",
            "-0.0",
            "1",
            "+1",
            "3.9",
            "-3.9",
            ".5",
            "5.",
            "-.5e1",
            "1e3",
            "1.25e2",
            "1.25E+1",
            "125e-1",
            "125e-2",
            "125e-3",
            "0.00125e3",
            "000.000e9",
            "1e18",
            "1e19",
            "-1e19",
            "1e999999999999999999999",
            "1e-999999999999999999999",
            " 7.0\n",
            "inf",
            "-Infinity",
            "NaN",
            "",
            ".",
            "e1",
            "1e",
            "1e+",
            "1e1.0",
            "--1",
            "0x10",
            "1_0",
            "1 2",
            "infinit",
            "٣",
        ] {
            assert_eq!(whole_part(text), text.trim().parse::<f64>().ok().map(|number| number as i64), "{text:?}");
        }
    }

    #[test]
    fn texts_as_python_shows_them() {
        for (text, want) in [
            ("a", "'a'"),
            ("it's", "\"it's\""),
            ("'\"", "'\\'\"'"),
            ("a\nb\t\\", "'a\\nb\\t\\\\'"),
            ("\u{1b}\u{a0}\u{e9}", "'\\x1b\\xa0\u{e9}'"),
            ("\u{feff}", "'\\ufeff'"),
        ] {
            assert_eq!(repr(text), want);
        }
    }

    #[test]
    fn integers_as_python_reads_them() {
        for (text, want) in [
            ("0", Some(0)),
            (" 12 ", Some(12)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("1_000", Some(1000)),
            ("007", Some(7)),
            ("", None),
            ("-", None),
            ("1.5", None),
            ("1e3", None),
            ("0x10", None),
            ("_1", None),
            ("1_", None),
            ("1__0", None),
            ("- 1", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(int(text, 10), want, "{text:?}");
        }
        for (text, want) in
            [("022", Some(18)), ("0o22", Some(18)), ("0o_22", Some(18)), ("8", None), ("0o", None), ("-2", Some(-2))]
        {
            assert_eq!(int(text, 8), want, "{text:?}");
        }
    }
}
