//! Globs, as a shell has them: `*`, `?`, `[a-z]`, `[!a-z]` within one name, `**` for any number of folders. Without recursion,
//! so that no pattern takes exponential time.

/// Whether a name has to be matched, rather than looked up.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether one name matches a pattern without `/`. A `[` that is never closed stands for itself.
pub(super) fn name_matches(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut pattern_at) = (0, 0);
    // Where the last `*` stands, and how much of the name it has swallowed.
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(pattern_at), name.get(at)) {
            (None, None) => return true,
            (Some('*'), _) => {
                star = Some((pattern_at, at));
                pattern_at += 1;
                continue;
            }
            (Some(_), Some(c)) => {
                if let Some(length) = one_matches(&pattern[pattern_at..], *c) {
                    pattern_at += length;
                    at += 1;
                    continue;
                }
            }
            _ => {}
        }
        match star {
            Some((star_at, swallowed)) if swallowed < name.len() => {
                star = Some((star_at, swallowed + 1));
                pattern_at = star_at + 1;
                at = swallowed + 1;
            }
            _ => return false,
        }
    }
}

/// How much of the pattern stands for this one character, where it does.
fn one_matches(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['[', class @ ..] => match class_end(class) {
            Some(end) => class_matches(&class[..end], c).then_some(end + 2),
            None => (c == '[').then_some(1),
        },
        [own, ..] => (*own == c).then_some(1),
        [] => None,
    }
}

/// Where a class is closed; a `]` at its very start belongs to it.
fn class_end(class: &[char]) -> Option<usize> {
    let start = usize::from(matches!(class.first(), Some('!' | '^')));
    class.iter().skip(start + 1).position(|c| *c == ']').map(|at| at + start + 1)
}

fn class_matches(class: &[char], c: char) -> bool {
    let (negated, mut rest) = match class {
        ['!' | '^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    loop {
        rest = match rest {
            [low, '-', high, after @ ..] => {
                found |= (*low..=*high).contains(&c);
                after
            }
            [one, after @ ..] => {
                found |= *one == c;
                after
            }
            [] => return found != negated,
        };
    }
}

/// Whether a path, given by its names, matches a pattern, given by its parts.
pub(super) fn path_matches(pattern: &[Vec<char>], path: &[Vec<char>]) -> bool {
    let is_star = |part: &Vec<char>| part.as_slice() == ['*', '*'];
    let (mut at, mut pattern_at) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(pattern_at), path.get(at)) {
            (None, None) => return true,
            (Some(part), _) if is_star(part) => {
                star = Some((pattern_at, at));
                pattern_at += 1;
                continue;
            }
            (Some(part), Some(name)) if name_matches(part, name) => {
                pattern_at += 1;
                at += 1;
                continue;
            }
            _ => {}
        }
        match star {
            Some((star_at, swallowed)) if swallowed < path.len() => {
                star = Some((star_at, swallowed + 1));
                pattern_at = star_at + 1;
                at = swallowed + 1;
            }
            _ => return false,
        }
    }
}

/// The names of a path or the parts of a pattern, without `.` and empty ones.
pub(super) fn parts(text: &str) -> Vec<Vec<char>> {
    text.split('/').filter(|part| !part.is_empty() && *part != ".").map(|part| part.chars().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (pattern, name, want) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*.py", "x.py", true),
            ("*.py", "x.pyc", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("**", "x", true),
            ("?", "\u{e4}", true),
            ("?", "", false),
            ("[abc]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[^a]", "a", false),
            ("[]]", "]", true),
            ("[!]]", "]", false),
            ("[a-]", "-", true),
            ("[", "[", true),
            ("[ab", "[ab", true),
            ("*[0-9]", "v12", true),
            ("*.tar.*", "a.tar.gz", true),
        ] {
            let (pattern_chars, name_chars): (Vec<char>, Vec<char>) =
                (pattern.chars().collect(), name.chars().collect());
            assert_eq!(name_matches(&pattern_chars, &name_chars), want, "{pattern} {name}");
        }
    }

    #[test]
    fn paths() {
        for (pattern, path, want) in [
            ("a/b", "a/b", true),
            ("./a//b/", "a/b", true),
            ("a/*", "a/b", true),
            ("a/*", "a/b/c", false),
            ("**/x", "x", true),
            ("**/x", "a/b/x", true),
            ("a/**", "a/b/c", true),
            ("a/**/x", "a/x", true),
            ("a/**/x", "a/b/c/x", true),
            ("a/**/x", "b/x", false),
            ("**/*.py", "a/b.py", true),
            ("**/t/**/x", "a/t/b/t/c/x", true),
        ] {
            assert_eq!(path_matches(&parts(pattern), &parts(path)), want, "{pattern} {path}");
        }
    }

    #[test]
    fn no_pattern_takes_exponential_time() {
        let pattern: Vec<char> = "a*".repeat(200).chars().chain(['b']).collect();
        assert!(!name_matches(&pattern, &vec!['a'; 2000]));
        let pattern = parts(&("**/a/".repeat(100) + "b"));
        assert!(!path_matches(&pattern, &parts(&"a/".repeat(1000))));
    }
}
