//! Which file a command means: with a slash as it is, else the first of that name in PATH, and whether it can be run.

use super::definition::Program;
use super::own::InitialStack;
use super::spawn_error::SpawnError;
use super::system::{facts_of, may_run, Facts, PathBuffer};
use super::wire::texts;

const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin:/usr/local/bin";

/// What to execute. An error comes with the path that was looked at, where there is one.
#[allow(clippy::result_large_err)] // There is no heap to put it on.
pub fn resolve(program: &Program<'_>, around: InitialStack) -> Result<PathBuffer, (SpawnError, Option<PathBuffer>)> {
    if !program.command_fault.is_empty() {
        return Err((SpawnError::CannotParse, None));
    }
    let Some(first) = texts(program.argv).next() else { return Err((SpawnError::EmptyCommand, None)) };
    let (path, facts) = match first.contains(&b'/') {
        true => with_facts(&[first]),
        false => search(first, program, around),
    };
    let why = match facts {
        None => SpawnError::CannotFind,
        Some(facts) if facts.is_folder() => SpawnError::IsDirectory,
        Some(facts) if facts.mode & 0o111 == 0 => SpawnError::NotExecutable,
        Some(_) => match path {
            Some(path) if may_run(path.path()).is_ok() => return Ok(path),
            path => return Err((SpawnError::NoPermission, path)),
        },
    };
    Err((why, path))
}

fn with_facts(parts: &[&[u8]]) -> (Option<PathBuffer>, Option<Facts>) {
    let path = PathBuffer::of(parts);
    let facts = path.as_ref().and_then(|path| facts_of(path.path()).ok());
    (path, facts)
}

fn search(name: &[u8], program: &Program<'_>, around: InitialStack) -> (Option<PathBuffer>, Option<Facts>) {
    let own = texts(program.environment).find_map(|pair| pair.strip_prefix(b"PATH="));
    let folders = own.or_else(|| around.variable(b"PATH=")).unwrap_or(DEFAULT_PATH);
    for folder in folders.split(|byte| *byte == b':') {
        let slash: &[u8] = if folder.is_empty() || folder.ends_with(b"/") { b"" } else { b"/" };
        let found = with_facts(&[folder, slash, name]);
        if found.1.is_some() {
            return found;
        }
    }
    (PathBuffer::of(&[name]), None)
}

impl InitialStack {
    /// The variables of this process, each without its NUL.
    pub fn variables(self) -> impl Iterator<Item = &'static [u8]> {
        list(self.environment)
    }

    pub fn all_arguments(self) -> impl Iterator<Item = &'static [u8]> {
        list(self.arguments)
    }

    /// The value of a variable, named with its `=`.
    pub fn variable(self, name: &[u8]) -> Option<&'static [u8]> {
        self.variables().find_map(|pair| pair.strip_prefix(name))
    }
}

/// The texts of such a list as the kernel makes it.
fn list(mut at: *const *const u8) -> impl Iterator<Item = &'static [u8]> {
    core::iter::from_fn(move || {
        // SAFETY: a list of texts that end with NUL, with a null pointer at its end; it stays while the process does.
        unsafe {
            let text = *at;
            if text.is_null() {
                return None;
            }
            at = at.add(1);
            let mut len = 0;
            while *text.add(len) != 0 {
                len += 1;
            }
            Some(core::slice::from_raw_parts(text, len))
        }
    })
}
