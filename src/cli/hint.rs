//! Which word was meant.

/// Words are compared up to so many characters.
const MAX_WORD: usize = 60;

/// The one of `known` that `word` begins, or that is few typing errors away.
#[must_use]
pub fn nearest(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let letters: Vec<char> = word.chars().take(MAX_WORD).collect();
    let mut best = None;
    for candidate in known {
        // A word of which the beginning was typed is as good as one with one error.
        let begins = letters.len() > 3 && candidate.starts_with(word);
        let errors = if begins { 1 } else { distance(&letters, candidate) };
        // Of a short word hardly anything is left after two errors.
        if errors <= letters.len() / 5 + usize::from(letters.len() > 4)
            && best.map_or(true, |(least, _)| errors < least)
        {
            best = Some((errors, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: letters to put in, take out or change.
fn distance(word: &[char], candidate: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (i, theirs) in candidate.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, ours) in row.iter_mut().skip(1).zip(word) {
            let changed = diagonal + usize::from(*ours != theirs);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_word_and_others_none() {
        let known = ["-h", "--help", "--set-uuid", "--set-iface", "--status", "--build-app", "--check-buildfile"];
        for (word, meant) in [
            ("--set-uid", Some("--set-uuid")),
            ("--setuuid", Some("--set-uuid")),
            ("--staus", Some("--status")),
            ("--build", Some("--build-app")),
            ("--check-tarbal", None),
            ("--hlep", Some("--help")),
            ("--frobnicate", None),
            ("-q", None),
            ("", None),
            ("--", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), meant, "{word}");
        }
        assert_eq!(distance(&"kitten".chars().collect::<Vec<_>>(), "sitting"), 3);
        assert_eq!(nearest(&"-".repeat(100_000), known.into_iter()), None);
    }
}
