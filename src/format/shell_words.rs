//! A command line divided as Python's `shlex.split` does it: at white space, with quotes and backslashes as in a shell, and nothing else of
//! one: no variables, no globs, no comments.

/// Why a text cannot be divided; `Display` of Python's exception.
pub type WordsError = &'static str;

const OPEN: WordsError = "No closing quotation";
const ESCAPE: WordsError = "No escaped character";

/// The words.
///
/// # Errors
/// A quote without its partner, or a backslash at the end.
pub fn split(text: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_with(String::new).push(characters.next().ok_or(ESCAPE)?),
            '\'' | '"' => quoted(c, &mut characters, word.get_or_insert_with(String::new))?,
            c => word.get_or_insert_with(String::new).push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// What stands up to the closing quote.
fn quoted(quote: char, characters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), WordsError> {
    loop {
        match characters.next().ok_or(OPEN)? {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => {
                let escaped = characters.next().ok_or(ESCAPE)?;
                // Only these two need the backslash; before all else it stays.
                if escaped != '"' && escaped != '\\' {
                    word.push('\\');
                }
                word.push(escaped);
            }
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_shlex_divides_them() {
        // The right-hand sides are what Python 3.11's shlex.split gives.
        for (text, want) in [
            ("", &[][..]),
            ("a  b\tc\nd\r", &["a", "b", "c", "d"]),
            ("a'b c'\"d e\"f", &["ab cd ef"]),
            ("'' \"\"", &["", ""]),
            (r"a\ b \'c", &["a b", "'c"]),
            (r#""a\"b\\c\d""#, &[r#"a"b\c\d"#]),
            (r"'a\b'", &[r"a\b"]),
            ("a#b # c;d $X ~ *", &["a#b", "#", "c;d", "$X", "~", "*"]),
            ("caf\u{e9}\u{a0}x", &["caf\u{e9}\u{a0}x"]),
        ] {
            assert_eq!(split(text).unwrap(), want, "{text:?}");
        }
        for (text, want) in [("'a", OPEN), ("a\"", OPEN), ("a\\", ESCAPE), ("\"a\\", ESCAPE)] {
            assert_eq!(split(text), Err(want), "{text:?}");
        }
    }
}
