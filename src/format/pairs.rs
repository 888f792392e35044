//! `environment = KEY="value",KEY2=value`, divided as supervisord does: by Python's `shlex` in its old, non-POSIX mode with
//! `/.+-():` added to the letters of a word. Its ways are odd (any character divides two pairs, `#` swallows the rest of a
//! line), and copied here, since what is read differently is what breaks.

/// PairsError a text is no list of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairsError {
    /// Something else than `key = value`.
    Unexpected,
    /// A quote without its partner.
    Quote,
}

/// The pairs, in order.
///
/// # Errors
/// A quote without its partner, or something else than `key = value` pairs.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, PairsError> {
    let tokens = tokens(text)?;
    let mut pairs = Vec::new();
    // Whatever stands between two pairs is skipped: supervisord never looks whether it is a comma.
    for group in tokens.chunks(4) {
        match group {
            [key, equals, value, ..] if equals == "=" => {
                pairs.push((key.clone(), value.trim_matches(['\'', '"']).to_string()));
            }
            _ => return Err(PairsError::Unexpected),
        }
    }
    Ok(pairs)
}

fn tokens(text: &str) -> Result<Vec<String>, PairsError> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            // Inside a word too: the word then goes on in the next line.
            '#' => {
                let _ = characters.by_ref().find(|c| *c == '\n');
            }
            ' ' | '\t' | '\r' | '\n' => push(&mut tokens, &mut word),
            // Inside a word a quote is a letter.
            '\'' | '"' if word.is_empty() => {
                word.push(c);
                loop {
                    let inner = characters.next().ok_or(PairsError::Quote)?;
                    word.push(inner);
                    if inner == c {
                        break;
                    }
                }
                push(&mut tokens, &mut word);
            }
            '\'' | '"' => word.push(c),
            _ if c.is_ascii_alphanumeric() || "_/.+-():".contains(c) => word.push(c),
            other => {
                push(&mut tokens, &mut word);
                tokens.push(other.to_string());
            }
        }
    }
    push(&mut tokens, &mut word);
    Ok(tokens)
}

fn push(tokens: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        tokens.push(std::mem::take(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_as_supervisord_reads_them() {
        // The right-hand sides are what supervisor.datatypes.dict_of_key_value_pairs gives.
        for (text, want) in [
            ("", &[][..]),
            ("A=1", &[("A", "1")]),
            ("A=\"1 2\",B='x,y'", &[("A", "1 2"), ("B", "x,y")]),
            ("A=\"\",B=\"it's\"", &[("A", ""), ("B", "it's")]),
            ("A=/usr/bin:/bin, B=a-b.c+(d)", &[("A", "/usr/bin:/bin"), ("B", "a-b.c+(d)")]),
            ("A=1,\nB=2\n", &[("A", "1"), ("B", "2")]),
            ("A=1;B=2", &[("A", "1"), ("B", "2")]),
            ("A=x\"y\"", &[("A", "x\"y")]),
            ("A=$HOME", &[("A", "$")]),
            ("A=\u{e9}", &[("A", "\u{e9}")]),
            ("A=1 # comment, B=2", &[("A", "1")]),
            ("A=1#2\n,B=2", &[("A", "1"), ("B", "2")]),
            ("A=$", &[("A", "$")]),
            ("A=\"http://x/?a=b&c=%20\"", &[("A", "http://x/?a=b&c=%20")]),
        ] {
            let want: Vec<_> = want.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
            assert_eq!(pairs(text), Ok(want), "{text:?}");
        }
        for (text, want) in [
            ("A", PairsError::Unexpected),
            ("A=", PairsError::Unexpected),
            ("A=1,B", PairsError::Unexpected),
            ("A=a@b", PairsError::Unexpected),
            ("A=\"1", PairsError::Quote),
            ("A='1\"", PairsError::Quote),
        ] {
            assert_eq!(pairs(text), Err(want), "{text:?}");
        }
    }
}
