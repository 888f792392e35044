//! What a process that stays resident is given by whoever starts it, and does not keep (docs/spec/failures.md, case 03): the folder, which
//! could not be unmounted or removed, and other programs' open files: a lock, or the pipe that an ssh session waits for.
//!
//! A relative root still means what it meant: it is made absolute first, also for the program that comes out of a pause and reads it again.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::config::paths::ROOT_VARIABLE;
use crate::sys::program::Program;
use crate::sys::{doze, process};

/// The flags of a program that stays: each has a value.
const ROOT: &str = "--root";
const PORT: &str = "--port";
/// This very program.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Leaves them, where this is a program that stays. Everything else is somebody's command, which works where that one is.
pub fn leave(called_as: &OsStr, arguments: &[OsString]) {
    if !stays(arguments) {
        return;
    }
    // What is open after a pause was kept by this process itself.
    if !doze::is_waking() {
        process::close_descriptors();
    }
    let Ok(here) = std::env::current_dir() else {
        // A relative root leads nowhere from a folder that is gone.
        let _ = std::env::set_current_dir("/");
        return;
    };
    if let Some(root) = std::env::var_os(ROOT_VARIABLE).filter(|root| is_relative(root)) {
        std::env::set_var(ROOT_VARIABLE, here.join(root));
    }
    let absolute = with_absolute_root(arguments, &here);
    if absolute == arguments {
        let _ = std::env::set_current_dir("/");
        return;
    }
    // The arguments are the process's own, which a pause gives back to it. Where this fails it goes on here, as it was told.
    let mut anew = Program::new(OWN_PROGRAM);
    anew.called(called_as).args(absolute);
    let error = anew.exec();
    crate::warning!("cannot start anew with an absolute --root: {error}");
}

/// Whether these are the arguments of a program that stays.
fn stays(arguments: &[OsString]) -> bool {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let is_flag = *word == ROOT || *word == PORT;
        if !is_flag || words.next().is_none() {
            return false;
        }
    }
    true
}

fn with_absolute_root(arguments: &[OsString], here: &Path) -> Vec<OsString> {
    let mut is_root = false;
    let absolute = arguments.iter().map(|word| {
        let made = if is_root && is_relative(word) { here.join(word).into_os_string() } else { word.clone() };
        is_root = !is_root && *word == ROOT;
        made
    });
    absolute.collect()
}

/// An empty one counts as none.
fn is_relative(root: &OsStr) -> bool {
    !root.as_bytes().is_empty() && !root.as_bytes().starts_with(b"/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_leaves_and_takes_its_root_along() {
        let here = Path::new("/here");
        for (line, want) in [
            ("", Some("")),
            ("--root a", Some("--root /here/a")),
            ("--root /a", Some("--root /a")),
            ("--port 0 --root --root", Some("--port 0 --root /here/--root")),
            ("--root", None),
            ("--once", None),
            ("--root a --once", None),
            ("status", None),
        ] {
            let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let got = stays(&arguments).then(|| with_absolute_root(&arguments, here).join(OsStr::new(" ")));
            assert_eq!(got, want.map(OsString::from), "{line}");
        }
    }
}
