//! The account of a month: how many bytes this gateway's programs have sent and received since it began, over all links (docs/spec/failures.md, F7).
//!
//! Invariants: every request stands in the volatile account ([`usage`](super::usage)), a long one part by part; what that has beyond what is
//! kept on flash is written once it is a 50th of the limit, so a quiet check-in writes nothing and a power cut costs little. Months are
//! UTC's, and only a clock that is known begins one; no clock gives a byte back by going backwards. Where none is known uptime is what
//! ends one: that is written a few times a day, or a gateway whose power goes each night would have one month for ever.

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
/// And so many of them may be lost in a power cut.
const UNWRITTEN_AGE: u64 = 3 * 3600;
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
}

/// An account as it is kept, and as it is.
#[derive(Debug)]
struct MonthLook {
    kept: MonthAccount,
    now: MonthAccount,
    /// Bytes that are not kept.
    new: u64,
    /// Whether a clock is known.
    is_dated: bool,
}

impl MonthLook {
    /// Whether what is not kept must be now.
    fn is_due(&self, limit: u64) -> bool {
        let MonthLook { kept, now, new, is_dated } = self;
        let is_renamed = now.month != kept.month && (kept.month == 0 || now.month < kept.month);
        let is_older = !is_dated && now.age.abs_diff(kept.age) >= UNWRITTEN_AGE;
        // Kept by its old name, it would have another one each month, and never end.
        *new >= limit / UNWRITTEN || is_older || (is_renamed && kept.used > 0)
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
        self.look().now
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
        self.keep_if(|look| look.is_due(self.limit));
    }

    /// Keeps whatever has come since: the machine may be about to go down.
    pub fn keep(&self) {
        self.keep_if(|look| look.new > 0);
    }

    fn keep_if(&self, is_due: impl Fn(&MonthLook) -> bool) {
        let is_due = || Some(self.look()).filter(&is_due).map(|look| look.now);
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

    fn look(&self) -> MonthLook {
        let kept = self.read();
        let month = known_time::known(&self.hardware_clock).and_then(month_of);
        // Without it, nothing is known to have come since.
        let Ok(rows) = usage::read(&self.log) else {
            return MonthLook { now: kept.clone(), kept, new: 0, is_dated: month.is_some() };
        };
        let total = rows.iter().map(usage::UsageRow::total).fold(0, u64::saturating_add);
        let boot = host::boot_id().unwrap_or_default();
        let (now, new) = kept.at(&MonthMoment { month, boot, at: clock::since_boot().as_secs(), total });
        MonthLook { kept, now, new, is_dated: month.is_some() }
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
        let aged = |age| MonthAccount { age, ..kept.clone() };
        for (kept, now, new, is_dated, is_due) in [
            (&kept, now(202_611, 519_999), 19_999, true, false),
            (&kept, now(202_611, 520_000), 20_000, true, true),
            (&kept, now(202_612, 100), 100, true, false),
            (&kept, now(202_610, 500_100), 100, true, true),
            (&now(0, 500_000), now(202_611, 500_100), 100, true, true),
            (&MonthAccount::none(), now(202_611, 100), 100, true, false),
            // Where a clock says when the month ends, its age says nothing.
            (&kept, aged(20 * DAY), 0, true, false),
            (&kept, aged(UNWRITTEN_AGE), 0, false, true),
            (&kept, aged(UNWRITTEN_AGE - 1), 0, false, false),
        ] {
            let look = MonthLook { kept: kept.clone(), now, new, is_dated };
            assert_eq!(look.is_due(limit), is_due, "{look:?}");
        }
    }

    /// Behind a network without time, with the sun for power: it is up 20 hours a day, and has few bytes to tell.
    #[test]
    fn a_month_without_a_clock_ends_where_the_power_goes_each_night() {
        let limit = 1_000_000;
        let mut kept = MonthAccount { used: 990_000, ..MonthAccount::none() };
        let mut writes = 0;
        let ends = (0..365).find(|day| {
            for hour in 1..=20 {
                let (now, new) = kept.at(&moment(None, &day.to_string(), hour * 3600, hour * 10));
                let look = MonthLook { kept: kept.clone(), now, new, is_dated: false };
                if look.is_due(limit) {
                    kept = look.now;
                    writes += 1;
                }
            }
            kept.used < 990_000
        });
        assert!(ends.is_some_and(|day| (31..45).contains(&day)), "{ends:?}");
        assert!(writes < 45 * 8, "{writes}");
    }

    #[test]
    fn months_are_utc_s() {
        for (unix, month) in [(0, 197_001), (1_767_225_599, 202_512), (1_767_225_600, 202_601), (1 << 60, 0)] {
            assert_eq!(month_of(unix).unwrap_or(0), month);
        }
    }
}
