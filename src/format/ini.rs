//! INI files as supervisord's parser reads them (docs/spec/supervisord.md, "The fragment of a hosted app"). That is Python's
//! `RawConfigParser(inline_comment_prefixes=(';', '#'), strict=False)`, in 4.2.5 and 4.3.0 alike: `=` or `:`; continuation lines
//! are those indented deeper than their option, with blank lines between them; `#` and `;` begin a comment at the start of a
//! line and behind white space; keys in any case; the last of two equal keys wins; a section that appears twice is merged.
//!
//! Two things differ on purpose: a byte order mark is skipped, and `[DEFAULT]` is a section like any other.

use std::fmt;

/// A parsed file: sections in order, each with its options in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ini {
    /// In the order of their first appearance.
    pub sections: Vec<Section>,
}

/// One `[name]` and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// As written between the brackets.
    pub name: String,
    /// Key in lower case, value; each key once.
    pub options: Vec<(String, String)>,
}

/// Why a text is no INI file. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IniError {
    /// Options before the first `[section]`.
    NoSection(usize),
    /// A line that is no section, option, continuation or comment.
    BadLine(usize),
}

impl fmt::Display for IniError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IniError::NoSection(line) => write!(f, "line {line}: an option before the first [section]"),
            IniError::BadLine(line) => write!(f, "line {line}: neither a [section] nor `key = value`"),
        }
    }
}

impl std::error::Error for IniError {}

impl Ini {
    /// Parses a whole file.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn parse(text: &str) -> Result<Ini, IniError> {
        let mut ini = Ini::default();
        let mut bad = None;
        ini.merge(text, &mut |number, _| bad = bad.or(Some(number)))?;
        bad.map_or(Ok(ini), |number| Err(IniError::BadLine(number)))
    }

    /// Reads one more file into this: its sections and keys go on with those that are there. A line that cannot be read is given to `bad`, with its
    /// number, and left out.
    ///
    /// # Errors
    /// [`IniError::NoSection`]: nothing behind that line was read.
    pub fn merge(&mut self, text: &str, bad: &mut dyn FnMut(usize, &str)) -> Result<(), IniError> {
        let mut section: Option<usize> = None;
        // The option that a continuation line would extend, with its lines so far.
        let mut open: Option<(String, Vec<&str>)> = None;
        // The indentation of the last line that was no continuation.
        let mut level = 0;
        for (index, raw) in lines(text.trim_start_matches('\u{feff}')).enumerate() {
            let number = index + 1;
            let (line, commented) = strip_comment(raw);
            if line.is_empty() {
                if let (false, Some((_, value))) = (commented, &mut open) {
                    value.push("");
                }
                continue;
            }
            let indent = raw.chars().take_while(|c| c.is_whitespace()).count();
            if let (true, Some((_, value))) = (indent > level, &mut open) {
                value.push(line);
                continue;
            }
            level = indent;
            if let Some(name) = section_name(line) {
                self.close(section, open.take());
                section = Some(self.section_index(name));
                continue;
            }
            if section.is_none() {
                return Err(IniError::NoSection(number));
            }
            match line.split_once(['=', ':']).map(|(key, value)| (key.trim(), value)) {
                Some((key, value)) if !key.is_empty() => {
                    self.close(section, open.take());
                    open = Some((key.to_ascii_lowercase(), vec![value.trim()]));
                }
                _ => bad(number, raw),
            }
        }
        self.close(section, open);
        Ok(())
    }

    /// Takes in an option whose last line has been read.
    fn close(&mut self, section: Option<usize>, option: Option<(String, Vec<&str>)>) {
        if let (Some(section), Some((key, lines))) = (section.and_then(|at| self.sections.get_mut(at)), option) {
            section.set(&key, lines.join("\n").trim_end());
        }
    }

    /// The section of that name, case-sensitive as in Python.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// The value of `key` in `section`.
    #[must_use]
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.section(section)?.get(key)
    }

    /// Sets an option; makes the section where there is none.
    pub fn set(&mut self, section: &str, key: &str, value: &str) {
        let index = self.section_index(section);
        self.sections[index].set(&key.to_ascii_lowercase(), value);
    }

    fn section_index(&mut self, name: &str) -> usize {
        if let Some(index) = self.sections.iter().position(|s| s.name == name) {
            return index;
        }
        self.sections.push(Section { name: name.to_string(), options: Vec::new() });
        self.sections.len() - 1
    }
}

impl Section {
    /// The value of `key`, which is matched in any case.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.options.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.as_str())
    }

    /// Sets an option in place, or adds it at the end.
    pub fn set(&mut self, key: &str, value: &str) {
        match self.value_mut(key) {
            Some(old) => *old = value.to_string(),
            None => self.options.push((key.to_string(), value.to_string())),
        }
    }

    fn value_mut(&mut self, key: &str) -> Option<&mut String> {
        self.options.iter_mut().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v)
    }
}

impl fmt::Display for Ini {
    /// The file's text; continuation lines are indented with a tab, as Python writes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, section) in self.sections.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            writeln!(f, "[{}]", section.name)?;
            for (key, value) in &section.options {
                // Behind a space, a value that begins so would be a comment.
                let space = if value.starts_with(['#', ';']) { "" } else { " " };
                writeln!(f, "{key} ={space}{}", value.replace('\n', "\n\t"))?;
            }
        }
        Ok(())
    }
}

/// The line, from 1, that gives `key` of `section` the value that counts: for messages to people.
#[must_use]
pub fn line_of(text: &str, section: &str, key: &str) -> Option<usize> {
    let (mut is_inside, mut found) = (false, None);
    for (index, raw) in lines(text.trim_start_matches('\u{feff}')).enumerate() {
        let (line, _) = strip_comment(raw);
        if let Some(name) = section_name(line) {
            is_inside = name == section;
        } else if line.split_once(['=', ':']).is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case(key))
            && is_inside
        {
            found = Some(index + 1);
        }
    }
    found
}

/// The lines as Python's universal newlines divide them: at `\n`, `\r\n` and a lone `\r`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// The line without its comment and without white space around it, and whether it had a comment.
fn strip_comment(line: &str) -> (&str, bool) {
    let mut after_space = true;
    for (at, c) in line.char_indices() {
        if after_space && (c == ';' || c == '#') {
            return (line[..at].trim(), true);
        }
        after_space = c.is_whitespace();
    }
    (line.trim(), false)
}

fn section_name(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?;
    // As Python: the name ends at the last bracket of the line.
    inner.rfind(']').filter(|end| *end > 0).map(|end| &inner[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_supervisord_reads() {
        let text = "; head\n[supervisord]\ncommand: /bin/a ; inline\nCommand = /bin/b#not\n# c\nenvironment = A=1,\n  B=2\n\nempty =\n[x]\nk=v\n";
        let ini = Ini::parse(text).unwrap();
        assert_eq!(ini.get("supervisord", "command"), Some("/bin/b#not"));
        assert_eq!(ini.get("supervisord", "ENVIRONMENT"), Some("A=1,\nB=2"));
        assert_eq!(ini.get("supervisord", "empty"), Some(""));
        assert_eq!(ini.get("x", "k"), Some("v"));
        assert_eq!(Ini::parse(&ini.to_string()).unwrap(), ini);
    }

    #[test]
    fn values_over_several_lines() {
        for (text, want) in [
            ("[a]\nk = 1\n  2\n\n  3\n\n\n[b]\n", "1\n2\n\n3"),
            ("[a]\nk =\n  1\n  # comment\n ; comment\n  2", "\n1\n2"),
            // Deeper than the option, not deeper than the line before.
            ("[a]\n  k = 1\n    2\n   3\n", "1\n2\n3"),
            ("[a]\nk = 1\n\t[b]\n\tx = y\n", "1\n[b]\nx = y"),
            ("[a]\rk = 1\r\n  2\r", "1\n2"),
            ("[a]\nk =#1;2 ;3\n", "#1;2"),
            ("[a]\nk: x = y\n", "x = y"),
            ("[a]\nk = 1\n[b]\n[a]\nK : 2\n", "2"),
        ] {
            let ini = Ini::parse(text).unwrap();
            assert_eq!(ini.get("a", "k"), Some(want), "{text:?}");
            assert_eq!(Ini::parse(&ini.to_string()).unwrap(), ini, "{text:?}");
        }
        // An indented line extends nothing where no option stands before it.
        assert_eq!(Ini::parse("[a]\n  k = 1\n").unwrap().get("a", "k"), Some("1"));
        assert_eq!(Ini::parse("[a]\nk = 1\n[b]\n   l = 2\n").unwrap().get("b", "l"), Some("2"));
        assert_eq!(Ini::parse("[]\n"), Err(IniError::NoSection(1)));
        assert_eq!(Ini::parse("[a] ] x\nk=1").unwrap().get("a] ", "k"), Some("1"));
    }

    #[test]
    fn the_line_of_an_option_is_the_one_that_counts() {
        let text = "[a]\nx = 1\n# x = 2\n[b]\nX : 3\n[a]\n x=4\n";
        assert_eq!(
            (line_of(text, "a", "X"), line_of(text, "b", "x"), line_of(text, "a", "y")),
            (Some(7), Some(5), None)
        );
    }

    #[test]
    fn faults_name_the_line() {
        assert_eq!(Ini::parse("a = 1"), Err(IniError::NoSection(1)));
        assert_eq!(Ini::parse("[a]\n\njunk"), Err(IniError::BadLine(3)));
        assert_eq!(Ini::parse("[a]\n= 1"), Err(IniError::BadLine(2)));
    }

    #[test]
    fn sections_and_options_are_set() {
        let mut ini = Ini::default();
        ini.set("device", "CIK", "''");
        ini.set("device", "cik", "x");
        ini.set("engine", "server", "u");
        assert_eq!(ini.to_string(), "[device]\ncik = x\n\n[engine]\nserver = u\n");
    }
}
