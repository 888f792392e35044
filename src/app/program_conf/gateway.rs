//! What a `supervisor.conf` may name of the gateway that it will run on.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys::{accounts, file, host};

/// Folders that every boot makes anew before supervisord starts, where an image keeps them in memory.
const MADE_AT_BOOT: [&str; 6] = ["/var/log", "/var/tmp", "/tmp", "/run", "/var/run", "/dev/shm"];

/// A variable of supervisord's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Its value.
    Is(String),
    /// It may be there or not: nobody can tell here.
    Unknown,
    /// It is not there.
    Missing,
}

/// A folder that a log file lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFolder {
    /// It is there, and after a reboot too.
    Stays,
    /// It is there, in memory: after a reboot supervisord would miss it, and not start at all.
    GoesAtReboot,
    /// It is not there.
    Missing,
}

/// The gateway as far as supervisord looks at it when it reads a section.
pub trait HostView {
    /// Its name: `%(host_node_name)s`.
    fn host(&self) -> Variable;
    /// A variable of supervisord's environment.
    fn variable(&self, name: &str) -> Variable;
    /// A log file's folder.
    fn folder(&self, path: &Path) -> LogFolder;
    /// Whether there is this user, by name or number.
    fn has_user(&self, user: &str) -> bool;
}

/// Some gateway that has everything: for checks on a developer's machine.
pub struct AnyGateway;

impl HostView for AnyGateway {
    fn host(&self) -> Variable {
        Variable::Unknown
    }
    fn variable(&self, _: &str) -> Variable {
        Variable::Unknown
    }
    fn folder(&self, _: &Path) -> LogFolder {
        LogFolder::Stays
    }
    fn has_user(&self, _: &str) -> bool {
        true
    }
}

/// The machine that this program runs on, after an app's `install.sh` has run.
pub struct ThisGateway {
    /// supervisord's variables, a value that is not known as `None`; `None` where nobody can tell. This program's own are another
    /// matter: somebody may have started it by hand.
    environment: Option<Vec<(String, Option<String>)>>,
    /// The image's folder for the logs of apps.
    logs: PathBuf,
    /// The fragments themselves are kept in memory: after a reboot they are gone too, and miss nothing.
    volatile: bool,
}

impl ThisGateway {
    /// `logs` is the folder that the image makes at every boot for the logs of apps, `fragments` the one that supervisord
    /// includes, `environment` supervisord's.
    pub fn new(logs: &Path, fragments: &Path, environment: Option<Vec<(String, Option<String>)>>) -> ThisGateway {
        ThisGateway { environment, logs: logs.to_path_buf(), volatile: file::is_volatile(fragments) }
    }
}

impl HostView for ThisGateway {
    fn host(&self) -> Variable {
        host::uname().map_or(Variable::Unknown, |names| Variable::Is(names.nodename))
    }

    fn variable(&self, name: &str) -> Variable {
        let Some(environment) = &self.environment else { return Variable::Unknown };
        // What its configuration says comes after what it was started with, and counts.
        match environment.iter().rev().find(|(known, _)| known == name) {
            Some((_, Some(value))) => Variable::Is(value.clone()),
            Some((_, None)) => Variable::Unknown,
            None => Variable::Missing,
        }
    }

    fn folder(&self, path: &Path) -> LogFolder {
        let Ok(real) = fs::canonicalize(path) else { return LogFolder::Missing };
        if !real.is_dir() {
            return LogFolder::Missing;
        }
        let made_at_boot = MADE_AT_BOOT.iter().map(Path::new).chain([self.logs.as_path()]);
        let is_mounted = || match (fs::metadata(&real), fs::metadata(real.join(".."))) {
            (Ok(this), Ok(parent)) => this.dev() != parent.dev() || real == Path::new("/"),
            _ => false,
        };
        let stays = self.volatile
            || made_at_boot.filter_map(|folder| fs::canonicalize(folder).ok()).any(|folder| folder == real)
            || is_mounted()
            || !file::is_volatile(&real);
        if stays {
            LogFolder::Stays
        } else {
            LogFolder::GoesAtReboot
        }
    }

    fn has_user(&self, user: &str) -> bool {
        knows_user(&accounts::read(accounts::USERS), user)
    }
}

/// Whether a user database has this name, or this number.
fn knows_user(users: &str, user: &str) -> bool {
    accounts::line(users, user, user.trim().parse::<u32>().ok().map(i64::from)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tests::announce_skip;

    #[test]
    fn users_by_name_and_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n# comment\napp:x:1000:1000::/:/bin/false\n";
        for (user, known) in
            [("root", true), ("0", true), ("app", true), (" 1000 ", true), ("x", false), ("1", false), ("", false)]
        {
            assert_eq!(knows_user(passwd, user), known, "{user:?}");
        }
    }

    #[test]
    fn a_variable_is_supervisord_s_and_not_to_know_it_is_no_word_on_it() {
        // docs/spec/failures.md, case 02: the last one counts, as supervisord's own configuration adds to what it was started with.
        let known = |pairs: &[(&str, Option<&str>)]| {
            pairs.iter().map(|(name, value)| ((*name).to_string(), value.map(str::to_string))).collect()
        };
        let given = known(&[("SITE", Some("north")), ("OPEN", Some("x")), ("EMPTY", Some("")), ("OPEN", None)]);
        let is = |value: &str| Variable::Is(value.to_string());
        for (environment, name, told) in [
            (Some(&given), "SITE", is("north")),
            (Some(&given), "EMPTY", is("")),
            (Some(&given), "OPEN", Variable::Unknown),
            (Some(&given), "PATH", Variable::Missing),
            (None, "PATH", Variable::Unknown),
        ] {
            let gateway = ThisGateway::new(Path::new("/none"), Path::new("/"), environment.cloned());
            assert_eq!(gateway.variable(name), told, "{name} of {environment:?}");
        }
    }

    #[test]
    fn folders_of_this_machine() {
        let gateway = ThisGateway::new(Path::new("/none"), Path::new("/"), None);
        assert_eq!(gateway.folder(Path::new("/")), LogFolder::Stays);
        assert_eq!(gateway.folder(Path::new("/tmp")), LogFolder::Stays);
        assert_eq!(gateway.folder(Path::new("/no/such/folder")), LogFolder::Missing);
        assert_eq!(gateway.folder(Path::new("/etc/passwd")), LogFolder::Missing);
        // /dev/shm is a mounted memory file system nearly everywhere; what lies in it is gone after a reboot.
        let inside = format!("/dev/shm/gwe-conf-{}", std::process::id());
        if file::is_volatile(Path::new("/dev/shm")) && fs::create_dir(&inside).is_ok() {
            let inside = Path::new(&inside);
            let folder = |logs, fragments| ThisGateway::new(logs, fragments, None).folder(inside);
            let root = Path::new("/");
            let verdicts = [folder(root, root), folder(inside, root), folder(root, inside)];
            fs::remove_dir(inside).unwrap();
            assert_eq!(verdicts, [LogFolder::GoesAtReboot, LogFolder::Stays, LogFolder::Stays]);
        } else {
            announce_skip("needs a memory file system at /dev/shm");
        }
    }
}
