//! Files that one program finds in the place of the system's, in a mount namespace of its own.

use super::command::run;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The exit status where a file could not be put in its place.
pub const NOT_IN_PLACE: i32 = 99;

/// `command` with each of these files (file, the place it takes), under the same process number; its arguments, and the variables that it
/// sets or takes away, are kept. `None` where there is no such thing for us.
pub fn with_files(command: &Command, files: &[(&Path, &str)]) -> Option<Command> {
    let is_allowed =
        |flag: &&str| run(Command::new("unshare").args([flag, "true"]), Duration::from_secs(5)).code == Some(0);
    let flag = ["-m", "-rm"].into_iter().find(is_allowed)?;
    let mut script = String::new();
    for (file, place) in files {
        script.push_str(&format!("mount --bind '{}' {place} || exit {NOT_IN_PLACE}; ", file.display()));
    }
    script.push_str("exec \"$@\"");
    let mut unshared = Command::new("unshare");
    unshared.args([flag, "sh", "-c", &script, "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => unshared.env(name, value),
            None => unshared.env_remove(name),
        };
    }
    Some(unshared)
}
