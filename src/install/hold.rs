//! What an app holds an update off by: a lock on a file of its own, whose path it finds in `GWE_HOLD` (docs/spec/failures.md, F1).
//!
//! Invariants: the file lies in a folder of root's, where nobody else can put anything in its place, and is open to the app's user alone;
//! however long it is held, and however often the machine goes down meanwhile, the holds of one job end.

use std::fs::File;
use std::os::unix::fs::fchown;
use std::path::PathBuf;

use super::kept::HeldTime;
use crate::app::name::check_app;
use crate::config::Paths;
use crate::format::ini::Ini;
use crate::format::percent;
use crate::sys::accounts;
use crate::sys::clock;
use crate::sys::file::{self, Context, FileError};
use crate::sys::{host, lock};

/// Where the app finds the path.
const VARIABLE: &str = "GWE_HOLD";
/// The account is written once in this part of the longest hold, and a reboot counts as much.
const PARTS: u64 = 24;

impl HeldTime {
    /// Opens one, now.
    pub(super) fn open() -> HeldTime {
        HeldTime { boot: boot(), until: now(), spent: 0 }
    }

    /// Seconds held off in all, with a longest of so many.
    pub(super) fn seconds(&self, longest: u64) -> u64 {
        self.seconds_at(&boot(), now(), longest)
    }

    /// Brings it up to date, where that is worth a write.
    pub(super) fn keep(&mut self, longest: u64) {
        let (boot, until) = (boot(), now());
        let spent = self.seconds_at(&boot, until, longest);
        if self.boot != boot || spent - self.spent >= part(longest) {
            *self = HeldTime { boot, until, spent };
        }
    }

    fn seconds_at(&self, boot: &str, now: u64, longest: u64) -> u64 {
        // How long it was held before a reboot, beyond what is noted, nobody knows; for ever must be impossible.
        let since = if self.boot == boot { now.saturating_sub(self.until) } else { part(longest) };
        self.spent.saturating_add(since)
    }
}

fn part(longest: u64) -> u64 {
    (longest / PARTS).max(1)
}

fn boot() -> String {
    host::boot_id().unwrap_or_default()
}

fn now() -> u64 {
    clock::since_boot().as_secs()
}

/// The file that an app holds.
pub(super) fn path(paths: &Paths, app: &str) -> PathBuf {
    paths.state().join("hold").join(app)
}

/// Whether the app holds it now. A name that is no app's may come from an order that nobody has looked at yet, and lead anywhere; to open a
/// file is enough to do harm, such as a watchdog's device.
pub(super) fn is_held(paths: &Paths, app: &str) -> bool {
    check_app(app).is_ok() && lock::is_held(&path(paths, app))
}

/// The fragment with the path in its environment. Text that is none goes as it came.
pub(super) fn told(paths: &Paths, app: &str, fragment: &str) -> String {
    let Ok(mut ini) = Ini::parse(fragment) else { return fragment.to_string() };
    let Some(section) = ini.sections.first_mut() else { return fragment.to_string() };
    let its = percent::escape(&format!("{VARIABLE}=\"{}\"", path(paths, app).display()));
    let environment = match section.get("environment").map(|value| value.trim().trim_end_matches(',')) {
        None | Some("") => its,
        Some(own) => [own, ",", &its].concat(),
    };
    section.set("environment", &environment);
    ini.to_string()
}

/// Makes the file, which is then its user's alone. One that is there stays: the app may hold it.
///
/// # Errors
/// It could not be made: then the app cannot hold anything off.
pub(super) fn prepare(paths: &Paths, app: &str, user: Option<&str>) -> Result<(), FileError> {
    let path = path(paths, app);
    if !path.is_file() {
        file::replace(&path, b"", 0o600)?;
    }
    // Nobody else can have put anything here: the folder is root's.
    let file = File::open(&path).context("open", &path)?;
    let owner = user.and_then(|user| id_of(&accounts::read(accounts::USERS), user));
    fchown(&file, Some(owner.unwrap_or(0)), None).and_then(|()| file.sync_all()).context("give away", &path)
}

/// Takes it away with the app.
pub(super) fn clear(paths: &Paths, app: &str) {
    if let Err(e) = file::remove(&path(paths, app)) {
        crate::warning!("{e}");
    }
}

/// A user's number in a user database, by name or number.
fn id_of(passwd: &str, user: &str) -> Option<u32> {
    let user = user.trim();
    user.parse().ok().or_else(|| accounts::line(passwd, user, None)?.get(2)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_ends_whatever_the_machine_does() {
        let day = 86_400;
        let account = HeldTime { boot: "a".into(), until: 100, spent: 0 };
        assert_eq!((account.seconds_at("a", 100, day), account.seconds_at("a", 3700, day)), (0, 3600));
        // A clock since boot that is behind is that of another boot; it counts as one that nobody saw end.
        assert_eq!((account.seconds_at("a", 50, day), account.seconds_at("b", 50, day)), (0, 3600));
        let mut account = account;
        for boot in 0..24 {
            assert!(account.seconds_at(&account.boot, account.until, day) < day, "{boot}");
            let spent = account.seconds_at(&boot.to_string(), 5, day);
            account = HeldTime { boot: boot.to_string(), until: 5, spent };
        }
        assert_eq!(account.spent, day, "reboots alone use it up");
    }

    #[test]
    fn the_account_is_written_a_few_times_a_day() {
        let mut account = HeldTime::open();
        let opened = account.clone();
        account.keep(86_400);
        assert_eq!(account, opened);
        account.boot = "another".into();
        account.keep(86_400);
        assert_eq!((account.boot.as_str(), account.spent), (boot().as_str(), 3600));
    }

    #[test]
    fn an_app_s_own_environment_stays() {
        let paths = Paths::new("/");
        let its = "GWE_HOLD=\"/var/lib/gwe/hold/a\"";
        for (own, want) in [
            ("", its.to_string()),
            ("environment = A=\"1\"\n", format!("A=\"1\",{its}")),
            ("environment = A=1,B=\"x,y\",\n", format!("A=1,B=\"x,y\",{its}")),
            ("environment = A=1,\n  B=2\n", format!("A=1,\nB=2,{its}")),
        ] {
            let text = told(&paths, "a", &format!("[program:a]\ncommand = x\n{own}"));
            let ini = Ini::parse(&text).unwrap();
            assert_eq!(ini.get("program:a", "environment"), Some(want.as_str()), "{own}");
            assert_eq!(ini.get("program:a", "command"), Some("x"));
        }
    }

    #[test]
    fn users_by_name_and_number() {
        let passwd = "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/false\nbad:x\n";
        for (user, id) in [("app", Some(1000)), (" root ", Some(0)), ("77", Some(77)), ("bad", None), ("none", None)] {
            assert_eq!(id_of(passwd, user), id, "{user}");
        }
    }
}
