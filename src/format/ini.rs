//! INI files as Python's `ConfigParser` reads them where supervisord does (spec: supervisord.md, "The fragment of a hosted
//! app"): `=` or `:`, continuation lines, `#` and `;` comments, inline ` ;` comments, case-insensitive keys, the last of two
//! equal keys wins, a section that appears twice is merged.

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
        let mut current: Option<usize> = None;
        // The option that a continuation line would extend, and the indentation of the line it began on.
        let mut open: Option<(String, usize)> = None;
        for (index, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let number = index + 1;
            let line = strip_comment(raw);
            if line.trim().is_empty() {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            if let (Some(section), Some((key, opened_at))) = (current, &open) {
                if indent > *opened_at {
                    if let Some(value) = ini.sections[section].value_mut(key) {
                        value.push('\n');
                        value.push_str(line.trim());
                    }
                    continue;
                }
            }
            let line = line.trim();
            if let Some(name) = section_name(line) {
                current = Some(ini.section_index(name));
                open = None;
                continue;
            }
            let Some(section) = current else { return Err(IniError::NoSection(number)) };
            let at = line.find(['=', ':']).ok_or(IniError::BadLine(number))?;
            let key = line[..at].trim().to_lowercase();
            if key.is_empty() {
                return Err(IniError::BadLine(number));
            }
            ini.sections[section].set(&key, line[at + 1..].trim());
            open = Some((key, indent));
        }
        Ok(ini)
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
        self.sections[index].set(&key.to_lowercase(), value);
    }

    /// Removes an option; a missing one is no error.
    pub fn remove(&mut self, section: &str, key: &str) {
        if let Some(section) = self.sections.iter_mut().find(|s| s.name == section) {
            section.options.retain(|(k, _)| !k.eq_ignore_ascii_case(key));
        }
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
                writeln!(f, "{key} = {}", value.replace('\n', "\n\t"))?;
            }
        }
        Ok(())
    }
}

/// The line without its comment: a whole-line `#` or `;`, or an inline one behind white space.
fn strip_comment(line: &str) -> &str {
    let mut after_space = true;
    for (at, c) in line.char_indices() {
        if after_space && (c == ';' || c == '#') {
            return &line[..at];
        }
        after_space = c.is_whitespace();
    }
    line
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
    fn faults_name_the_line() {
        assert_eq!(Ini::parse("a = 1"), Err(IniError::NoSection(1)));
        assert_eq!(Ini::parse("[a]\n\njunk"), Err(IniError::BadLine(3)));
        assert_eq!(Ini::parse("[a]\n= 1"), Err(IniError::BadLine(2)));
    }

    #[test]
    fn sections_and_options_are_set_and_removed() {
        let mut ini = Ini::default();
        ini.set("device", "CIK", "''");
        ini.set("device", "cik", "x");
        ini.set("engine", "server", "u");
        ini.remove("engine", "Server");
        assert_eq!(ini.to_string(), "[device]\ncik = x\n\n[engine]\n");
    }
}
