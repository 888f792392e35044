//! Whether the wall clock can be relied on.

use std::path::Path;

use super::epoch::plausible;
use super::{clock, file};

/// A clock of the hardware that is further from the system's than this was not what that was set by, in seconds.
const CLOCKS_APART: u64 = 86_400;
/// The hardware's clock, where it says its time.
pub const HARDWARE_CLOCK: &str = "/sys/class/rtc/rtc0/since_epoch";

/// The wall clock, where the kernel was told by an NTP client that it is right, or a clock of the hardware says the same. One that was only
/// set forward to the last known time may be off by any number of hours.
#[must_use]
pub fn known(hardware_clock: &Path) -> Option<u64> {
    let now = plausible(clock::unix_seconds())?;
    let hardware = || {
        let bytes = file::read(hardware_clock, 32).ok()??;
        String::from_utf8(bytes).ok()?.trim().parse::<u64>().ok()
    };
    let is_known = clock::is_synchronised() || hardware().is_some_and(|time| time.abs_diff(now) < CLOCKS_APART);
    is_known.then_some(now)
}
