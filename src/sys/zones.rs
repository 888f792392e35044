//! Local time, for a program that cannot read the rules itself: from when on it is how far ahead of UTC.

use std::mem;

/// So many changes are handed over: two a year.
const MAX_CHANGES: usize = 32;
/// Rules never change twice in such a time.
const STEP: i64 = 7 * 86_400;
/// How far ahead is looked.
const AHEAD: i64 = 16 * 366 * 86_400;

/// Seconds ahead of UTC at a moment.
fn offset_at(seconds: i64) -> i32 {
    // SAFETY: both are this function's own.
    unsafe {
        let mut time: libc::tm = mem::zeroed();
        let at = seconds as libc::time_t;
        if libc::localtime_r(&at, &mut time).is_null() {
            return 0;
        }
        i32::try_from(time.tm_gmtoff).unwrap_or(0)
    }
}

/// From the moment given on: each moment (seconds of 1970) from which on another offset holds, the first from the beginning of time.
#[must_use]
pub fn changes(from: i64) -> Vec<(i64, i32)> {
    let mut found = vec![(0, offset_at(from))];
    let mut at = from;
    while at < from + AHEAD && found.len() < MAX_CHANGES {
        let (before, after) = (offset_at(at), offset_at(at + STEP));
        if before != after {
            let (mut low, mut high) = (at, at + STEP);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if offset_at(middle) == before {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            found.push((high, after));
        }
        at += STEP;
    }
    found
}
