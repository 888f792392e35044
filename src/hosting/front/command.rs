//! A program's file, looked at before it is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::fault::{MethodFault, NOT_EXECUTABLE, NO_FILE};
use super::now::text;
use crate::format::python::repr;
use crate::hosting::definition::Program;
use crate::hosting::wire::texts;

/// Where programs are, if nobody says.
const USUAL: &str = "/bin:/usr/bin:/usr/local/bin";

/// The first word, and the file that it means: the first of that name in the program's own PATH, else in the daemon's.
pub(super) fn file(program: &Program<'_>) -> Option<(String, Option<String>)> {
    let word = text(texts(program.argv).next()?);
    if word.contains('/') {
        let found = fs::metadata(&word).is_ok();
        return Some((word.clone(), found.then_some(word)));
    }
    let own = texts(program.environment).find_map(|pair| pair.strip_prefix(b"PATH=")).map(text);
    let path = own.or_else(|| std::env::var("PATH").ok().filter(|path| !path.is_empty()));
    let path = path.unwrap_or_else(|| USUAL.to_string());
    let in_folder = |folder: &str| if folder.is_empty() { word.clone() } else { [folder, "/", &word].concat() };
    let found = path.split(':').map(in_folder).find(|file| fs::metadata(file).is_ok());
    Some((word, found))
}

/// Whether the program can be started at all.
pub(super) fn check(program: &Program<'_>) -> Result<(), MethodFault> {
    if !program.command_fault.is_empty() {
        let (command, why) = (repr(&text(program.command)), text(program.command_fault));
        return Err(MethodFault::about(NOT_EXECUTABLE, &format!("can't parse command {command}: {why}")));
    }
    let Some((word, found)) = file(program) else { return Err(MethodFault::about(NOT_EXECUTABLE, "command is empty")) };
    let Some(found) = found else {
        return Err(MethodFault::about(NO_FILE, &format!("can't find command {}", repr(&word))));
    };
    match fs::metadata(&found) {
        Ok(facts) if facts.is_dir() => {
            Err(MethodFault::about(NOT_EXECUTABLE, &format!("command at {} is a directory", repr(&found))))
        }
        Ok(facts) if facts.permissions().mode() & 0o111 == 0 => {
            Err(MethodFault::about(NOT_EXECUTABLE, &format!("command at {} is not executable", repr(&found))))
        }
        _ => Ok(()),
    }
}
