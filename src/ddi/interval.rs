//! How long the server wants to be left alone, noted where the timer finds it: in /run as it was told last, and roughly in the state folder, for the
//! first check-in after a power cut, which a whole district makes at once.
//!
//! Invariant: flash is written only where what is told has at least doubled or halved, and had so at the poll before, too. hawkBit's `~10%`, a
//! server that says now this and now that, and one that says what is expected anyway write nothing.

use std::cmp::Ordering;

use super::sleep;
use crate::config::ddi::{self, FIRST_INTERVAL, INTERVAL_FILE, LONGEST_KEPT};
use crate::config::{Config, Paths};
use crate::http;
use crate::sys::file;

const MODE: u32 = 0o644;

/// The notes of what one server tells.
pub struct Interval {
    paths: Paths,
    url: String,
}

impl Interval {
    /// Of the server with this URL.
    pub fn of(config: &Config, url: &str) -> Interval {
        Interval { paths: config.paths().clone(), url: url.to_string() }
    }

    /// Notes what a poll says. What cannot be read changes nothing.
    pub fn note(&self, text: &str) {
        let Some(told) = sleep::parse(text).map(|time| time.as_secs()) else {
            if !text.is_empty() {
                let text = http::excerpt(text.as_bytes());
                crate::warning!("the server's polling time '{text}' cannot be read; keeping the last one");
            }
            return;
        };
        let before = ddi::told(&self.paths);
        if before != Some(told) {
            if let Err(e) = file::write(&self.paths.run().join(INTERVAL_FILE), told.to_string().as_bytes()) {
                crate::debug!("{e}");
            }
        }
        let kept = ddi::kept(&self.paths, &self.url).unwrap_or(FIRST_INTERVAL.as_secs());
        if let Some(seconds) = worth_keeping(kept, before, told) {
            let text = [&seconds.to_string(), " ", &self.url].concat();
            if let Err(e) = file::replace(&self.paths.state().join(INTERVAL_FILE), text.as_bytes(), MODE) {
                crate::debug!("{e}");
            }
        }
    }
}

/// What is to be kept in the place of what is; `None`: that will do.
fn worth_keeping(kept: u64, before: Option<u64>, told: u64) -> Option<u64> {
    let told = told.min(LONGEST_KEPT);
    let side = |seconds: u64| match seconds {
        _ if seconds / 2 >= kept => Ordering::Greater,
        _ if seconds <= kept / 2 => Ordering::Less,
        _ => Ordering::Equal,
    };
    let is_so_again = before.is_some_and(|before| side(before) == side(told));
    (is_so_again && side(told) != Ordering::Equal).then_some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written to flash while a server tells these, poll by poll.
    #[test]
    fn flash_is_written_where_what_is_told_has_changed_for_good() {
        let day = LONGEST_KEPT;
        for (what, told, written) in [
            ("what is expected anyway", vec![300; 9], vec![]),
            ("scattered by a tenth", vec![300, 330, 270, 285, 315], vec![]),
            ("an hour, scattered", vec![3600, 3960, 3240, 3500], vec![3960]),
            ("a day, from the second poll on", vec![day; 5], vec![day]),
            ("longer than counts after a boot", vec![9 * day, 8 * day, 9 * day], vec![day]),
            ("now this and now that", vec![30, 3600, 30, 3600, 30, 3600], vec![]),
            ("often for the time of one poll", vec![300, 30, 300, 30, 300], vec![]),
            ("a roll-out of an hour", vec![day, day, 300, 300, 300, day, day], vec![day, 300, day]),
            ("every second", vec![1, 1, 1, 2, 1], vec![1]),
        ] {
            let (mut kept, mut before, mut all) = (300, None, Vec::new());
            for told in told {
                if let Some(seconds) = worth_keeping(kept, before, told) {
                    kept = seconds;
                    all.push(seconds);
                }
                before = Some(told);
            }
            assert_eq!(all, written, "{what}");
        }
    }
}
