//! A configuration file by the table of its options: what is in force, what is shown, and what may be set.
//!
//! Invariant: a value that no longer passes its option's check (a file edited by hand) is never in force: that of the layer below
//! is, or the default. It is told with its place: see [`Table::problems`].

use std::path::{Path, PathBuf};

use super::ddi::Token;
use super::layered::{unquote, Layer, Layered, MAX_FILE};
use super::options::{self, Opt};
use super::problem::{Problem, ProblemKind};
use super::ConfigError;
use crate::format::ini;
use crate::sys::file::{self, FileError};

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
        let fits = |layer: &'_ &Layer| {
            layer.get(option.section, option.key).is_some_and(|value| (option.check)(value).is_ok())
        };
        let layer = self.layered.layers().into_iter().find(fits);
        layer.and_then(|layer| layer.get(option.section, option.key)).unwrap_or(option.default)
    }

    /// What an option is in each layer, in force or not.
    #[must_use]
    pub fn in_layers(&self, section: &str, key: &str) -> Vec<String> {
        self.layered.layers().iter().filter_map(|layer| layer.get(section, key)).map(str::to_string).collect()
    }

    /// All that is wrong with the file in its two layers.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for layer in self.layered.layers() {
            if let Some(why) = &layer.damage {
                let fault = ProblemKind::Damaged(why.clone());
                problems.push(Problem { file: layer.path.clone(), line: None, key: "", fault });
            }
            for option in self.options {
                let value = layer.get(option.section, option.key);
                if let Some(Err(e)) = value.map(|value| option.accepts(value)) {
                    problems.push(problem(layer, option, ProblemKind::Value(e)));
                }
            }
        }
        problems
    }

    /// Why an option that was given is not in force: what counts is neither its value nor that of another layer.
    #[must_use]
    pub fn refused(&self, key: &str) -> Option<Problem> {
        let option = self.find(None, key)?;
        let refusal =
            |layer: &Layer| Some((layer.get(option.section, option.key)?, option)).map(|(value, o)| o.accepts(value));
        let refusals: Vec<_> = self.layered.layers().map(|layer| (layer, refusal(layer))).into_iter().collect();
        if refusals.iter().any(|(_, refusal)| matches!(refusal, Some(Ok(())))) {
            return None;
        }
        let (layer, e) = refusals.into_iter().find_map(|(layer, refusal)| Some((layer, refusal?.err()?)))?;
        Some(problem(layer, option, ProblemKind::Value(e)))
    }

    /// The layer that cannot be read, where no other gives an option a value: nobody knows then what it was.
    #[must_use]
    pub fn lost(&self, key: &str) -> Option<Problem> {
        let option = self.find(None, key)?;
        let layers = self.layered.layers();
        if layers.iter().any(|layer| layer.get(option.section, option.key).is_some()) {
            return None;
        }
        let (layer, why) = layers.into_iter().find_map(|layer| Some((layer, layer.damage.clone()?)))?;
        Some(Problem { file: layer.path.clone(), line: None, key: option.key, fault: ProblemKind::Damaged(why) })
    }

    /// What is wrong with an option beside others, with the place where it stands.
    #[must_use]
    pub fn problem_of(&self, key: &str, what: String) -> Option<Problem> {
        let option = self.find(None, key)?;
        let layer = self.layered.layers().into_iter().find(|layer| layer.get(option.section, option.key).is_some())?;
        Some(problem(layer, option, ProblemKind::Together(what)))
    }

    /// Sets options durably, in one go. That each value fits its option ([`Opt::accepts`]) is for the caller to see, before the first file of several is
    /// written.
    ///
    /// # Errors
    /// The file could not be written. The old values then stay in force.
    pub fn set(&mut self, values: &[(&'static Opt, &str)]) -> Result<(), FileError> {
        let values: Vec<_> =
            values.iter().map(|(option, value)| (option.section, option.key, unquote(value))).collect();
        self.layered.set(&values)
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
        let is_there = |option: &&'static Opt| {
            option.section == section && !(option.is_rare() && self.value(option) == option.default)
        };
        for option in self.options.iter().filter(is_there) {
            let value = self.value(option);
            // What people paste into tickets.
            let masked = Token::new(value).to_string();
            let value = if option.key == "token" && !value.is_empty() { &masked } else { value };
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
        let sections = sections.iter().map(|name| (name, self.section(name))).filter(|(_, text)| !text.is_empty());
        let text = sections.map(|(name, text)| ["[", name, "]\n", &text].concat());
        text.collect::<Vec<_>>().join("\n")
    }
}

fn problem(layer: &Layer, option: &'static Opt, fault: ProblemKind) -> Problem {
    // Read once more, for a message only: nothing that stays in memory knows the lines.
    let text = file::read(&layer.path, MAX_FILE).ok().flatten().unwrap_or_default();
    let line = ini::line_of(&String::from_utf8_lossy(&text), option.section, option.key);
    Problem { file: layer.path.clone(), line, key: option.key, fault }
}

impl Opt {
    /// Whether it is shown only where it was set: what most gateways have no use for.
    fn is_rare(&self) -> bool {
        matches!(self.section, options::DDI | options::NETWORK) || self.key == "backend"
    }

    /// Whether a value may be set.
    ///
    /// # Errors
    /// What it must be.
    pub fn accepts(&self, value: &str) -> Result<(), ConfigError> {
        let value = unquote(value);
        (self.check)(value).map_err(|must| ConfigError::Value(self.key, value.to_string(), must))
    }
}
