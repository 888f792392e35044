//! The account of a month: how many bytes this gateway's programs have sent and received since it began, over all links (docs/spec/failures.md, F7).
//!
//! Invariants: every request stands in the volatile account ([`usage`](super::usage)), a long one part by part; what that has beyond what is
//! kept on flash is written once it is a 50th of the limit, so a quiet check-in writes nothing and a power cut costs little. Months are
//! UTC's, and only a clock that is known begins one; no clock gives a byte back by going backwards.

use std::path::PathBuf;
use std::time::Duration;

use miniserde::{json, Deserialize, Serialize};

use super::usage;
use crate::config::Config;
use crate::format::utc;
use crate::sys::file::{self, FileError};
use crate::sys::{clock, host, known_time, lock};

/// This part of the limit may be lost in a power cut.
const UNWRITTEN: u64 = 50;
/// A request is accounted for in parts of this part of the limit, or of so many bytes at least.
const PARTS: u64 = 100;
const SMALLEST_PART: u64 = 16 * 1024;
/// Where no clock says when the month ends, it does after so many seconds of uptime.
const LONGEST_MONTH: u64 = 31 * 86_400;
/// The largest file, in bytes.
const MAX_FILE: u64 = 1024;
/// Another writer holds the lock for a sync of the disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is kept on flash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthAccount {
    /// Such as 202611; 0 where no clock was known.
    pub month: u32,
    /// Bytes.
    pub used: u64,
    /// The boot in which it was written.
    boot: String,
    /// What the volatile account had then.
    seen: u64,
    /// The time since boot then, in seconds.
    at: u64,
    /// Seconds of uptime in this month.
    age: u64,
}

/// What an account is brought up to date with.
#[derive(Clone, Debug)]
struct MonthMoment {
    month: Option<u32>,
    boot: String,
    at: u64,
    /// What the volatile account has.
    total: u64,
}

impl MonthAccount {
    fn none() -> MonthAccount {
        MonthAccount { month: 0, used: 0, boot: String::new(), seen: 0, at: 0, age: 0 }
    }

    /// As it is at a moment, and how many bytes of that are not kept.
    fn at(&self, moment: &MonthMoment) -> (MonthAccount, u64) {
        let MonthMoment { month, boot, at, total } = moment.clone();
        let is_same_boot = self.boot == boot;
        // A volatile account that is smaller than it was is a new one.
        let new = if is_same_boot && total >= self.seen { total - self.seen } else { total };
        let age = self.age.saturating_add(if is_same_boot { at.saturating_sub(self.at) } else { at });
        let (month, used, age) = match month {
            Some(month) if self.month != 0 && month > self.month => (month, 0, 0),
            // The first clock that is known, or one that was put right: it is the same month by another name.
            Some(month) => (month, self.used, age),
            None if age >= LONGEST_MONTH => (0, 0, 0),
            None => (self.month, self.used, age),
        };
        (MonthAccount { month, used: used.saturating_add(new), boot, seen: total, at, age }, new)
    }

    /// Whether what has become of it since must be kept now.
    fn is_due(&self, now: &MonthAccount, new: u64, limit: u64) -> bool {
        let is_renamed = now.month != self.month && (self.month == 0 || now.month < self.month);
        // Kept by its old name, it would have another one each month, and never end.
        new >= limit / UNWRITTEN || (is_renamed && self.used > 0)
    }
}

/// What of a month's bytes is left, and where that is kept.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Bytes of a month.
    pub limit: u64,
    file: PathBuf,
    log: PathBuf,
    hardware_clock: PathBuf,
}

impl Budget {
    /// As the gateway is configured; `None`: a month has no limit.
    #[must_use]
    pub fn of(config: &Config) -> Option<Budget> {
        let paths = config.paths();
        Some(Budget {
            limit: config.monthly_bytes()?,
            file: paths.month_account(),
            log: paths.usage_log(),
            hardware_clock: paths.below_root(known_time::HARDWARE_CLOCK),
        })
    }

    /// The account as it is now.
    #[must_use]
    pub fn account(&self) -> MonthAccount {
        self.look().1
    }

    /// Bytes that are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.account().used)
    }

    /// Whether more is used than there was, beyond what may be lost too.
    #[must_use]
    pub fn is_overdrawn(&self) -> bool {
        self.account().used > self.limit.saturating_add(self.limit / UNWRITTEN)
    }

    /// So many bytes of a request are accounted for at a time.
    #[must_use]
    pub fn part(&self) -> u64 {
        (self.limit / PARTS).max(SMALLEST_PART)
    }

    /// Keeps what has come since, where that is enough to be worth a write.
    pub(crate) fn note(&self) {
        self.keep_if(|kept, now, new| kept.is_due(now, new, self.limit));
    }

    /// Keeps whatever has come since: the machine may be about to go down.
    pub fn keep(&self) {
        self.keep_if(|_, _, new| new > 0);
    }

    fn keep_if(&self, is_due: impl Fn(&MonthAccount, &MonthAccount, u64) -> bool) {
        let is_due = || {
            let (kept, now, new) = self.look();
            is_due(&kept, &now, new).then_some(now)
        };
        if is_due().is_none() {
            return;
        }
        let kept = self.write(is_due);
        // Somebody who may not write here: who may does it next time.
        if let Err(e) = kept {
            crate::debug!("{e}; the account of the month is kept later");
        }
    }

    fn write(&self, account: impl Fn() -> Option<MonthAccount>) -> Result<(), FileError> {
        let Some(_lock) = lock::take(&self.log.with_file_name("month.lock"), PATIENCE)? else { return Ok(()) };
        match account() {
            Some(account) => file::replace(&self.file, json::to_string(&account).as_bytes(), 0o644),
            // Another has done it.
            None => Ok(()),
        }
    }

    /// What is kept, what it is now, and how many bytes of that are not kept.
    fn look(&self) -> (MonthAccount, MonthAccount, u64) {
        let kept = self.read();
        // Without it, nothing is known to have come since.
        let Ok(rows) = usage::read(&self.log) else { return (kept.clone(), kept, 0) };
        let total = rows.iter().map(usage::UsageRow::total).fold(0, u64::saturating_add);
        let month = known_time::known(&self.hardware_clock).and_then(month_of);
        let boot = host::boot_id().unwrap_or_default();
        let (now, new) = kept.at(&MonthMoment { month, boot, at: clock::since_boot().as_secs(), total });
        (kept, now, new)
    }

    fn read(&self) -> MonthAccount {
        let without = "the account of the month begins anew";
        match file::read(&self.file, MAX_FILE) {
            Ok(None) => MonthAccount::none(),
            Ok(Some(bytes)) => {
                let account = std::str::from_utf8(&bytes).ok().and_then(|text| json::from_str(text).ok());
                account.unwrap_or_else(|| {
                    crate::error!("{} is damaged; {without}", self.file.display());
                    MonthAccount::none()
                })
            }
            Err(e) => {
                crate::error!("{e}; {without}");
                MonthAccount::none()
            }
        }
    }
}

/// `2026-11-29 01:20:00 UTC` is in 202611.
fn month_of(unix: u64) -> Option<u32> {
    let date = utc::date(unix);
    [date.get(..4)?, date.get(5..7)?].concat().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn moment(month: Option<u32>, boot: &str, at: u64, total: u64) -> MonthMoment {
        MonthMoment { month, boot: boot.to_string(), at, total }
    }

    /// Each line: the clock's month, the boot, the time since it, the volatile account; the month and the bytes of the account, kept each time.
    #[test]
    fn an_account_over_boots_months_and_clocks() {
        let mut account = MonthAccount::none();
        for (line, (month, boot, at, total, want)) in [
            // Before any clock is known the bytes count, and are this month's once it is.
            (None, "a", 10, 100, (0, 100)),
            (Some(202_611), "a", 20, 150, (202_611, 150)),
            (Some(202_611), "a", 30, 150, (202_611, 150)),
            // Another boot, and a volatile account that was lost in the same one.
            (Some(202_611), "b", 5, 40, (202_611, 190)),
            (Some(202_611), "b", 6, 10, (202_611, 200)),
            // The month's turn; a clock that is not known begins none, and one that goes back gives nothing back.
            (None, "b", 7, 20, (202_611, 210)),
            (Some(202_612), "b", 8, 25, (202_612, 5)),
            (Some(202_611), "b", 9, 35, (202_611, 15)),
            // A clock that was years ahead: put right, the month is this one, and ends.
            (Some(203_501), "b", 10, 36, (203_501, 1)),
            (Some(202_611), "b", 11, 46, (202_611, 11)),
            (Some(202_701), "b", 12, 47, (202_701, 1)),
            // No clock at all: after as long as a month.
            (None, "c", 20 * DAY, 10, (202_701, 11)),
            (None, "d", 11 * DAY, 5, (0, 5)),
            (None, "d", 30 * DAY, 6, (0, 6)),
            (None, "d", 42 * DAY, 7, (0, 1)),
        ]
        .into_iter()
        .enumerate()
        {
            account = account.at(&moment(month, boot, at, total)).0;
            assert_eq!((account.month, account.used), want, "line {line}");
        }
    }

    #[test]
    fn what_is_worth_a_write() {
        let limit = 1_000_000;
        let kept = MonthAccount { month: 202_611, used: 500_000, ..MonthAccount::none() };
        let now = |month, used| MonthAccount { month, used, ..MonthAccount::none() };
        for (kept, now, new, is_due) in [
            (&kept, now(202_611, 519_999), 19_999, false),
            (&kept, now(202_611, 520_000), 20_000, true),
            (&kept, now(202_612, 100), 100, false),
            (&kept, now(202_610, 500_100), 100, true),
            (&now(0, 500_000), now(202_611, 500_100), 100, true),
            (&MonthAccount::none(), now(202_611, 100), 100, false),
        ] {
            assert_eq!(kept.is_due(&now, new, limit), is_due, "{now:?}");
        }
    }

    #[test]
    fn months_are_utc_s() {
        for (unix, month) in [(0, 197_001), (1_767_225_599, 202_512), (1_767_225_600, 202_601), (1 << 60, 0)] {
            assert_eq!(month_of(unix).unwrap_or(0), month);
        }
    }
}
