//! Files by a pattern, as Python's `glob.glob` finds them: `*`, `?` and `[a-z]` within a part of the path, none of which finds a hidden file
//! unless the pattern's part begins with a dot.

use std::fs;
use std::path::Path;

/// A pattern finds no more files.
const MAX_FILES: usize = 4096;

/// Sorted.
pub(super) fn find(pattern: &str) -> Vec<String> {
    let root = if pattern.starts_with('/') { "/" } else { "" };
    let mut found = vec![root.to_string()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for folder in &found {
            if part.contains(['*', '?', '[']) {
                list(folder, part, &mut next);
            } else {
                let path = joined(folder, part);
                if fs::symlink_metadata(&path).is_ok() {
                    next.push(path);
                }
            }
        }
        next.truncate(MAX_FILES);
        found = next;
    }
    crate::format::sort::sort(&mut found);
    found.retain(|path| path != root);
    found
}

fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() || folder.ends_with('/') {
        [folder, name].concat()
    } else {
        [folder, "/", name].concat()
    }
}

fn list(folder: &str, part: &str, found: &mut Vec<String>) {
    let path = if folder.is_empty() { "." } else { folder };
    let Ok(entries) = fs::read_dir(Path::new(path)) else { return };
    for entry in entries.flatten().take(MAX_FILES) {
        if let Some(name) = entry.file_name().to_str() {
            if (!name.starts_with('.') || part.starts_with('.')) && matches(part, name) {
                found.push(joined(folder, name));
            }
        }
    }
}

/// Whether a name is of the pattern. A star goes back at most to the last one before it, so this takes no more than both lengths multiplied.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, n));
            p += 1;
        } else if let Some(next) = pattern.get(p).and_then(|_| one(&pattern, p, name[n])) {
            p = next;
            n += 1;
        } else if let Some((after, at)) = star {
            star = Some((after, at + 1));
            p = after;
            n = at + 1;
        } else {
            return false;
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|c| *c == '*')
}

/// Where the pattern goes on behind a character that its place `p` takes.
fn one(pattern: &[char], p: usize, c: char) -> Option<usize> {
    match pattern[p] {
        '?' => Some(p + 1),
        '[' => match set(&pattern[p + 1..], c) {
            Some((true, len)) => Some(p + 1 + len),
            Some((false, _)) => None,
            None => (c == '[').then_some(p + 1),
        },
        other => (other == c).then_some(p + 1),
    }
}

/// `a-z]` or `!abc]`: whether the character is in it, and how long it is. `None`: it does not end.
fn set(inner: &[char], c: char) -> Option<(bool, usize)> {
    let negated = inner.first() == Some(&'!');
    let from = usize::from(negated);
    // A bracket at the beginning is one of the characters.
    let end = from + 1 + inner.get(from + 1..)?.iter().position(|c| *c == ']')?;
    let set = &inner[from..end];
    let mut found = false;
    let mut at = 0;
    while at < set.len() {
        if set.get(at + 1) == Some(&'-') && at + 2 < set.len() {
            found |= (set[at]..=set[at + 2]).contains(&c);
            at += 3;
        } else {
            found |= set[at] == c;
            at += 1;
        }
    }
    Some((found != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_as_fnmatch_reads_them() {
        for (pattern, name, want) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("a*b*c", "aXbYbZc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[x", "[x", true),
            ("*", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(50), &"a".repeat(40)));
    }

    #[test]
    fn files_of_this_machine() {
        assert!(find("/etc/pass[w]d").contains(&"/etc/passwd".to_string()));
        assert_eq!(find("/etc/no-such-*"), [] as [&str; 0]);
        assert_eq!(find("/etc/passwd"), ["/etc/passwd"]);
    }
}
