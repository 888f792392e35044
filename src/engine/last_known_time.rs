//! The last known time: a gateway without a clock battery boots in 1970, where every certificate is "not yet valid" and
//! nothing can be fetched, the right time included. So the time is kept on disk, and at start a clock that lies before it is
//! set forward to it, as fake-hwclock does (docs/spec/failures.md, row 7).
//!
//! Invariants: the clock is never set back; a time that cannot be is neither kept nor believed; flash is written a few times
//! a day at most, however often the engine checks in or restarts.

use std::path::Path;

use crate::sys::clock;
use crate::sys::epoch::{is_plausible, BUILD_EPOCH};
use crate::sys::file::{self, FileError};

/// The file's name in the state folder; its content is unix seconds, decimal.
pub const FILE_NAME: &str = "last_known_time";

/// Kept again after a check-in once it is this far from the kept one, in seconds: what a power cut may cost.
const AFTER_CHECK_IN: u64 = 6 * 3600;
/// Kept again at a shutdown once it is this far ahead: restarts in a row are not worth a write each.
const AT_SHUTDOWN: u64 = 600;
const MAX_FILE: u64 = 32;
const MODE: u32 = 0o644;

/// When the time is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A check-in has succeeded: with TLS, the clock lies where the server's certificate is valid. So a time before the kept
    /// one is believed, too: the kept one was wrong.
    CheckIn,
    /// A clean shutdown: nothing has confirmed the clock, and it only moves the kept time forward.
    Shutdown,
}

/// Sets the system clock forward to the time kept in `path`, or to [`BUILD_EPOCH`], where it lies before. Logs what it did; a
/// clock that cannot be set is no reason not to start.
pub fn set_forward(path: &Path) {
    let now = clock::unix_seconds();
    let Some(time) = forward_to(now, load(path), BUILD_EPOCH) else { return };
    match clock::set_wall_clock(time) {
        Ok(()) => {
            crate::warning!("the clock stood at {now} (unix seconds): set forward to {time}, the last known time")
        }
        Err(e) => crate::warning!("the clock stands at {now} (unix seconds) and cannot be set forward to {time}: {e}"),
    }
}

/// Keeps the present time in `path` where that is due.
///
/// # Errors
/// The file could not be written: the old one is still there.
pub fn keep(path: &Path, occasion: Occasion) -> Result<(), FileError> {
    let now = clock::unix_seconds();
    if is_due(now, load(path), BUILD_EPOCH, occasion) {
        file::replace(path, format!("{now}\n").as_bytes(), MODE)?;
    }
    Ok(())
}

/// Where to set a clock that stands at `now`; `None` where it may stay.
#[must_use]
pub fn forward_to(now: u64, last_known: Option<u64>, build_epoch: u64) -> Option<u64> {
    let floor = last_known.filter(|time| is_plausible(*time, build_epoch)).unwrap_or(build_epoch);
    (now < floor).then_some(floor)
}

/// Whether `now` is worth a write where `kept` is on disk.
#[must_use]
pub fn is_due(now: u64, kept: Option<u64>, build_epoch: u64, occasion: Occasion) -> bool {
    if !is_plausible(now, build_epoch) {
        return false;
    }
    match (kept.filter(|time| is_plausible(*time, build_epoch)), occasion) {
        (None, _) => true,
        (Some(kept), Occasion::CheckIn) => now.abs_diff(kept) >= AFTER_CHECK_IN,
        (Some(kept), Occasion::Shutdown) => now.saturating_sub(kept) >= AT_SHUTDOWN,
    }
}

/// The kept time; a file that is missing or holds anything else is `None`, and the latter is said.
fn load(path: &Path) -> Option<u64> {
    let content = match file::read(path, MAX_FILE) {
        Ok(content) => content?,
        Err(e) => {
            crate::warning!("{e}: going on without the last known time");
            return None;
        }
    };
    let time = std::str::from_utf8(&content).ok().and_then(|text| text.trim().parse().ok());
    if time.is_none() {
        crate::warning!("{} holds no time: going on without the last known time", path.display());
    }
    time
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    const BUILD: u64 = 1_800_000_000;
    const YEAR: u64 = 365 * 86_400;
    const HOUR: u64 = 3600;

    #[test]
    fn the_clock_is_set_forward_and_never_back() {
        // swupd-client#195, magma#5612, thin-edge#3786
        let cases = [
            // now, last known → set to
            (0, Some(BUILD + YEAR), Some(BUILD + YEAR)),
            (BUILD + YEAR - 1, Some(BUILD + YEAR), Some(BUILD + YEAR)),
            (BUILD + YEAR, Some(BUILD + YEAR), None),
            (BUILD + 2 * YEAR, Some(BUILD + YEAR), None),
            (BUILD + 50 * YEAR, Some(BUILD + YEAR), None),
            (0, None, Some(BUILD)),
            (BUILD, None, None),
            // What cannot be is not believed: before the build, fifty years after it, the end of time.
            (0, Some(0), Some(BUILD)),
            (0, Some(BUILD - 1), Some(BUILD)),
            (0, Some(BUILD + 50 * YEAR), Some(BUILD)),
            (0, Some(u64::MAX), Some(BUILD)),
            (BUILD + 1, Some(u64::MAX), None),
            (u64::MAX, Some(BUILD), None),
        ];
        for (now, last_known, expected) in cases {
            assert_eq!(forward_to(now, last_known, BUILD), expected, "{now} {last_known:?}");
        }
    }

    #[test]
    fn the_time_is_kept_seldom_and_only_where_it_can_be_right() {
        use Occasion::{CheckIn, Shutdown};
        let kept = BUILD + YEAR;
        let cases = [
            // now, kept, occasion → due
            (BUILD, None, CheckIn, true),
            (BUILD, None, Shutdown, true),
            (kept + 6 * HOUR - 1, Some(kept), CheckIn, false),
            (kept + 6 * HOUR, Some(kept), CheckIn, true),
            (kept + 599, Some(kept), Shutdown, false),
            (kept + 600, Some(kept), Shutdown, true),
            // The kept time was wrong: a check-in corrects it, a shutdown does not.
            (kept - 5 * HOUR, Some(kept), CheckIn, false),
            (kept - 6 * HOUR, Some(kept), CheckIn, true),
            (kept - 6 * HOUR, Some(kept), Shutdown, false),
            // A clock in 1970, or fifty years ahead, is not kept.
            (0, None, CheckIn, false),
            (BUILD - 1, Some(kept), CheckIn, false),
            (kept + 50 * YEAR, Some(kept), CheckIn, false),
            (u64::MAX, None, Shutdown, false),
            // A damaged one is replaced.
            (kept, Some(0), CheckIn, true),
            (kept, Some(u64::MAX), Shutdown, true),
        ];
        for (now, kept, occasion, expected) in cases {
            assert_eq!(is_due(now, kept, BUILD, occasion), expected, "{now} {kept:?} {occasion:?}");
        }
    }

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("gwe-time-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir.join(FILE_NAME)
    }

    #[test]
    fn the_kept_time_is_read_back_and_written_once() {
        let path = scratch("keep");
        assert_eq!(load(&path), None);
        keep(&path, Occasion::CheckIn).unwrap();
        let kept = load(&path).unwrap();
        assert!(clock::unix_seconds() - kept < 60);
        fs::write(&path, format!("{}", kept - 100)).unwrap();
        keep(&path, Occasion::CheckIn).unwrap();
        assert_eq!(load(&path), Some(kept - 100), "not due: not written");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_torn_zeroed_or_foreign_file_is_no_time_and_is_replaced() {
        let path = scratch("torn");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        for content in [&b""[..], b"\0\0\0\0", b"\xff\xfe", b"-5", b"soon", &[b'9'; 100], b"99999999999999999999999"] {
            fs::write(&path, content).unwrap();
            assert_eq!(load(&path), None);
            keep(&path, Occasion::Shutdown).unwrap();
            assert!(load(&path).unwrap() >= BUILD_EPOCH);
        }
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
