//! A configuration file by the table of its options: what is in force, what is shown, and what may be set.
//!
//! Invariant: a value that no longer passes its option's check (a file edited by hand) is never in force: its default is.

use std::path::{Path, PathBuf};

use super::layered::{unquote, Layered};
use super::options::Opt;
use super::ConfigError;

/// A file and its options.
#[derive(Clone, Debug)]
pub struct Table {
    options: &'static [Opt],
    layered: Layered,
}

impl Table {
    /// Reads both layers of the file. Never fails: see [`Layered::load`].
    #[must_use]
    pub fn load(options: &'static [Opt], factory: &Path, state: PathBuf, mode: u32) -> Table {
        Table { options, layered: Layered::load(factory, state, mode) }
    }

    /// The option of that key, in any section where none is given.
    #[must_use]
    pub fn find(&self, section: Option<&str>, key: &str) -> Option<&'static Opt> {
        let is_there = |option: &&Opt| section.map_or(true, |section| option.section == section);
        self.options.iter().filter(is_there).find(|option| option.key.eq_ignore_ascii_case(key))
    }

    /// The value in force of the option of that key; empty where there is no such option.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.find(None, key).map_or("", |option| self.value(option))
    }

    /// The value in force.
    #[must_use]
    pub fn value(&self, option: &'static Opt) -> &str {
        match self.layered.get(option.section, option.key) {
            Some(value) if (option.check)(value).is_ok() => value,
            Some(_) => {
                crate::debug!("{} has a value that does not fit; using its default", option.key);
                option.default
            }
            None => option.default,
        }
    }

    /// Sets options durably, in one go.
    ///
    /// # Errors
    /// A value does not fit its option, or the file could not be written. The old values then stay in force.
    pub fn set(&mut self, values: &[(&'static Opt, &str)]) -> Result<(), ConfigError> {
        let mut checked = Vec::with_capacity(values.len());
        for (option, value) in values {
            option.accepts(value)?;
            checked.push((option.section, option.key, unquote(value)));
        }
        self.layered.set(&checked).map_err(ConfigError::File)
    }

    /// The names of the file's sections.
    #[must_use]
    pub fn sections(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.options.iter().map(|option| option.section).collect();
        names.dedup();
        names
    }

    /// The options in force of a section as `key = value` lines, `''` for empty values.
    #[must_use]
    pub fn section(&self, section: &str) -> String {
        let mut out = String::new();
        for option in self.options.iter().filter(|option| option.section == section) {
            let value = self.value(option);
            for part in [option.key, " = ", if value.is_empty() { "''" } else { value }, "\n"] {
                out.push_str(part);
            }
        }
        out
    }

    /// The file in force, as text.
    #[must_use]
    pub fn text(&self) -> String {
        let sections = self.sections();
        let text = sections.iter().map(|name| ["[", name, "]\n", &self.section(name)].concat());
        text.collect::<Vec<_>>().join("\n")
    }
}

impl Opt {
    /// Whether a value may be set.
    ///
    /// # Errors
    /// What it must be.
    pub fn accepts(&self, value: &str) -> Result<(), ConfigError> {
        let value = unquote(value);
        (self.check)(value).map_err(|must| ConfigError::Value(self.key, value.to_string(), must))
    }
}
