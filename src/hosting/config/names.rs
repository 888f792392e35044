//! What values may name with `%(x)s`, and what is said where they cannot.

use crate::format::ini::Ini;
use crate::format::percent::{expand, PercentError, PercentValue};
use crate::format::python::repr;

/// The section whose keys every other one has, too.
const DEFAULTS: &str = "DEFAULT";
/// Names that begin so are the environment's: they are secrets as a rule, and never listed.
pub(super) const ENVIRONMENT: &str = "ENV_";

/// Names and what they stand for; a later one of the same name wins.
#[derive(Clone, Default)]
pub(super) struct Names(Vec<(String, PercentValue)>);

impl Names {
    pub(super) fn set(&mut self, name: &str, value: PercentValue) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_string(), value)),
        }
    }

    pub(super) fn set_text(&mut self, name: &str, value: &str) {
        self.set(name, PercentValue::Text(value.to_string()));
    }

    /// The variables of an environment.
    pub(super) fn add_environment(&mut self, variables: &[(String, String)]) {
        for (name, value) in variables {
            self.set_text(&(ENVIRONMENT.to_string() + name), value);
        }
    }

    pub(super) fn add(&mut self, others: &Names) {
        for (name, value) in &others.0 {
            self.set(name, value.clone());
        }
    }

    fn get(&self, name: &str) -> Option<PercentValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// Expands `text`, which the message calls `what`, with two sets of names; the second goes first.
pub(super) fn expanded(text: &str, what: &str, common: &Names, own: &Names) -> Result<String, String> {
    match expand(text, &|name| own.get(name).or_else(|| common.get(name))) {
        Ok(expanded) => Ok(expanded.unwrap_or_default()),
        Err(PercentError::Unknown(name)) => {
            let known = own.0.iter().chain(&common.0).map(|(name, _)| name.as_str());
            let mut shown: Vec<&str> = known.filter(|name| !name.starts_with(ENVIRONMENT)).collect();
            crate::format::sort::sort(&mut shown);
            shown.dedup();
            Err(format!(
                "Format string {} for {} contains names ({}) which cannot be expanded. Available names: {}",
                repr(text),
                repr(what),
                repr(&name),
                shown.join(", ")
            ))
        }
        Err(why) => Err(format!("Format string {} for {} is badly formatted: {why}", repr(text), repr(what))),
    }
}

/// A section as it is read: values expanded.
#[derive(Clone, Copy)]
pub(super) struct NamedSection<'a> {
    pub(super) ini: &'a Ini,
    pub(super) name: &'a str,
    /// The environment's names.
    pub(super) common: &'a Names,
}

impl<'a> NamedSection<'a> {
    pub(super) fn raw(&self, key: &str) -> Option<&'a str> {
        self.ini.get(self.name, key).or_else(|| self.ini.get(DEFAULTS, key))
    }

    /// The value expanded, or the default's text.
    pub(super) fn get(&self, key: &str, default: &str, own: &Names) -> Result<String, String> {
        Ok(self.find(key, own)?.unwrap_or_else(|| default.to_string()))
    }

    pub(super) fn find(&self, key: &str, own: &Names) -> Result<Option<String>, String> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        // Most values name nothing.
        if !raw.contains('%') {
            return Ok(Some(raw.to_string()));
        }
        expanded(raw, &[self.name, ".", key].concat(), self.common, own).map(Some)
    }
}

/// The names of all sections in their order; the defaults are none.
pub(super) fn sections(ini: &Ini) -> impl Iterator<Item = &str> {
    ini.sections.iter().map(|section| section.name.as_str()).filter(|name| *name != DEFAULTS)
}

/// The names of all sections that begin so, and what follows the first colon.
pub(super) fn sections_of<'a>(ini: &'a Ini, start: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> + 'a {
    sections(ini).filter_map(move |name| Some((name, name.strip_prefix(start)?)))
}
