//! Local time, for a program that cannot read the rules itself: from when on it is how far ahead of UTC.

use std::ffi::CStr;
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

/// The time of the day at a moment, in seconds since midnight, and the zone's name. Without rules of a zone it is UTC's.
#[must_use]
pub fn time_of_day(unix: u64) -> (u32, String) {
    /// After so many seconds, 28 years, the days of the week and the leap years are the same again.
    const CYCLE: u64 = 883_612_800;
    // A `time_t` of 32 bits ends in 2038.
    let end = if mem::size_of::<libc::time_t>() < 8 { 1 << 31 } else { 1 << 40 };
    let unix = if unix < end { unix } else { unix - ((unix - end) / CYCLE + 1) * CYCLE };
    // SAFETY: both are this function's own; the zone's name is a text that the library keeps.
    unsafe {
        let mut time: libc::tm = mem::zeroed();
        let at = unix as libc::time_t;
        if libc::localtime_r(&at, &mut time).is_null() {
            return ((unix % 86_400) as u32, "UTC".to_string());
        }
        let seconds = time.tm_hour * 3600 + time.tm_min * 60 + time.tm_sec.min(59);
        let zone = if time.tm_zone.is_null() { "UTC".into() } else { CStr::from_ptr(time.tm_zone).to_string_lossy() };
        (u32::try_from(seconds).unwrap_or(0), zone.into_owned())
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
