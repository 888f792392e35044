//! The files of a configuration: the root file, and what its `[include]` names, read into one.

use std::fs::File;
use std::io::Read;

use super::names::{expanded, sections, Names};
use super::{glob, BadConfiguration, Note};
use crate::format::ini::{Ini, IniError};
use crate::format::python::repr;

/// A file may have so many bytes.
const MAX_FILE: u64 = 1 << 20;
/// Of the lines that cannot be read, so many are named.
const MAX_BAD_LINES: usize = 20;
/// What stands for a file's own folder.
const HERE: &str = "%(here)s";

/// Everything that was read.
pub(super) struct Sources {
    pub(super) ini: Ini,
    /// Sections that came first in an included file, and that file.
    pub(super) files: Vec<(String, String)>,
    pub(super) notes: Vec<Note>,
}

impl Sources {
    pub(super) fn file_of(&self, section: &str) -> Option<&str> {
        self.files.iter().find(|(name, _)| name == section).map(|(_, file)| file.as_str())
    }
}

/// Reads `root`, whose folder is `here`, and what it includes but for the files `without`.
pub(super) fn read(
    root: &str,
    here: &str,
    common: &Names,
    include: &Names,
    without: &[String],
) -> Result<Sources, BadConfiguration> {
    let mut sources = Sources { ini: Ini::default(), files: Vec::new(), notes: Vec::new() };
    let text = read_root(root).and_then(|bytes| text(bytes).map_err(BadConfiguration::of))?;
    merge(&mut sources.ini, &text, root).map_err(BadConfiguration::of)?;
    if sources.ini.section("include").is_none() {
        return Ok(sources);
    }
    set_here(&mut sources.ini, here);
    let Some(patterns) = sources.ini.get("include", "files") else {
        return Err(BadConfiguration::of(".ini file has [include] section, but no files setting".to_string()));
    };
    let patterns = expanded(patterns, "include.files", common, include).map_err(BadConfiguration::of)?;
    for pattern in patterns.split_whitespace() {
        let pattern = if pattern.starts_with('/') { pattern.to_string() } else { [here, "/", pattern].concat() };
        let found = glob::find(&pattern);
        if found.is_empty() {
            sources.notes.push(Note::warning(format!("No file matches via include \"{pattern}\"")));
        }
        for file in found {
            if !without.contains(&file) {
                sources.include(&file).map_err(|text| BadConfiguration { text, file: Some(file) })?;
            }
        }
    }
    Ok(sources)
}

impl Sources {
    fn include(&mut self, file: &str) -> Result<(), String> {
        self.notes.push(Note::info(format!("Included extra file \"{file}\" during parsing")));
        // One that cannot be opened is passed over without a word; a pipe would be waited for.
        let is_file = std::fs::metadata(file).is_ok_and(|found| found.is_file());
        let bytes = match if is_file { open(file) } else { Err(Unread::Closed) } {
            Ok(bytes) => bytes,
            Err(Unread::TooLarge) => return Err(format!("{file} is larger than {MAX_FILE} bytes")),
            Err(Unread::Missing | Unread::Closed) => Vec::new(),
        };
        let before: Vec<String> = sections(&self.ini).map(str::to_string).collect();
        merge(&mut self.ini, &text(bytes)?, file)?;
        for name in sections(&self.ini).filter(|name| !before.iter().any(|known| known == name)) {
            self.files.push((name.to_string(), file.to_string()));
        }
        let folder = file.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        set_here(&mut self.ini, folder);
        Ok(())
    }
}

enum Unread {
    Missing,
    Closed,
    TooLarge,
}

fn open(path: &str) -> Result<Vec<u8>, Unread> {
    let file = File::open(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Unread::Missing,
        _ => Unread::Closed,
    })?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|_| Unread::Closed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Unread::TooLarge);
    }
    Ok(bytes)
}

fn read_root(path: &str) -> Result<Vec<u8>, BadConfiguration> {
    open(path).map_err(|why| {
        BadConfiguration::of(match why {
            Unread::Missing => format!("could not find config file {path}"),
            Unread::Closed => format!("could not read config file {path}"),
            Unread::TooLarge => format!("{path} is larger than {MAX_FILE} bytes"),
        })
    })
}

/// The one configuration file of a supervisorctl, which follows no include.
pub(super) fn read_alone(path: &str) -> Result<Ini, String> {
    let mut ini = Ini::default();
    let text = read_root(path).map_err(|fault| fault.text).and_then(text)?;
    merge(&mut ini, &text, path)?;
    Ok(ini)
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let byte = e.as_bytes().get(at).copied().unwrap_or_default();
        let why = match e.utf8_error().error_len() {
            None => "unexpected end of data",
            Some(_) if (0xc2..=0xf4).contains(&byte) => "invalid continuation byte",
            Some(_) => "invalid start byte",
        };
        format!("'utf-8' codec can't decode byte {byte:#04x} in position {at}: {why}")
    })?;
    // No program, path or variable can have one.
    if text.contains('\0') {
        return Err("embedded null byte".to_string());
    }
    Ok(text)
}

fn merge(ini: &mut Ini, text: &str, file: &str) -> Result<(), String> {
    let mut bad = String::new();
    let mut count = 0;
    let line_of = |number: usize| text.split_inclusive('\n').nth(number.saturating_sub(1)).unwrap_or_default();
    let ended = ini.merge(text, &mut |number, raw| {
        count += 1;
        if count <= MAX_BAD_LINES {
            // With its end, where it has one.
            let end = if line_of(number).ends_with('\n') { "\n" } else { "" };
            bad.push_str(&format!("\n\t[line {number:2}]: {}", repr(&[raw, end].concat())));
        }
    });
    if let Err(IniError::NoSection(number)) = ended {
        let line = line_of(number).trim_start_matches('\u{feff}').replace("\r\n", "\n");
        return Err(format!(
            "File contains no section headers.\nfile: {}, line: {number}\n{}",
            repr(file),
            repr(&line)
        ));
    }
    if bad.is_empty() {
        Ok(())
    } else {
        Err(format!("Source contains parsing errors: {}{bad}", repr(file)))
    }
}

/// Every `%(here)s` that stands in a value by now becomes this folder.
fn set_here(ini: &mut Ini, folder: &str) {
    for section in &mut ini.sections {
        for (_, value) in &mut section.options {
            if value.contains(HERE) {
                *value = value.replace(HERE, folder);
            }
        }
    }
}
