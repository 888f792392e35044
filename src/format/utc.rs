//! Unix seconds as people read them. Pure arithmetic, without a time zone: a fleet's gateways stand in many.

/// What a day has, in seconds.
pub const DAY: u64 = 24 * 3600;
/// Days from 0000-03-01 to 1970-01-01, and in 400 years: the calendar repeats itself after those.
const DAYS_TO_1970: u64 = 719_468;
const DAYS_IN_400_YEARS: u64 = 146_097;
/// The last second of the year 9999; a later one is not written as a date.
const LAST: u64 = 253_402_300_799;

/// `2026-03-01 23:59:59 UTC`.
#[must_use]
pub fn date(unix: u64) -> String {
    if unix > LAST {
        return format!("unix time {unix}");
    }
    // Years are counted from March, so that a leap day is a year's last (Howard Hinnant's `civil_from_days`).
    let days = unix / DAY + DAYS_TO_1970;
    let day_of_era = days % DAYS_IN_400_YEARS;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = days / DAYS_IN_400_YEARS * 400 + year_of_era + u64::from(month < 3);
    let seconds = unix % DAY;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Reads a date as HTTP writes it, such as `Sun, 06 Nov 1994 08:49:37 GMT`, in unix seconds; the two older forms are not read. `None`:
/// it is no such date, or one before 1970.
#[must_use]
pub fn from_http(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut words = text.trim().strip_suffix(" GMT")?.split(' ').skip(1);
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let number = |text: &str, least: u64, most: u64| {
        let is_number = text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|value| is_number && (least..=most).contains(value))
    };
    let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)? as u64 / 3 + 1;
    let (day, year) = (number(day, 1, 31)?, number(year, 1970, 9999)?);
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let seconds = number(hour, 0, 23)? * 3600 + number(minute, 0, 59)? * 60 + number(second, 0, 60)?;
    if words.next().is_some() || parts.next().is_some() {
        return None;
    }
    Some(seconds_to(year, month, day)? + seconds)
}

/// Reads a day, such as `1994-11-06`: its first second, in unix seconds. `None`: there is no such day, or it lies before 1970.
#[must_use]
pub fn from_day(text: &str) -> Option<u64> {
    let number = |part: &str, length: usize| {
        let is_number = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| is_number)
    };
    let mut parts = text.split('-');
    let (year, month, day) = (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // A day that its month does not have would come out as another.
    seconds_to(year, month, day).filter(|unix| date(*unix).starts_with(text))
}

/// To the first second of a day: as in `date`, the other way round (Howard Hinnant's `days_from_civil`).
fn seconds_to(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, from_march) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * from_march + 2) / 5 + day - 1;
    Some((era * DAYS_IN_400_YEARS + day_of_era).checked_sub(DAYS_TO_1970)? * DAY)
}

/// A length of time as supervisorctl writes it: `0:00:20`, `1 day, 2:03:04`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let clock = format!("{}:{:02}:{:02}", seconds % DAY / 3600, seconds / 60 % 60, seconds % 60);
    match seconds / DAY {
        0 => clock,
        1 => format!("1 day, {clock}"),
        days => format!("{days} days, {clock}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_every_kind_of_year() {
        // As `date -u -d @N '+%F %T UTC'` prints them.
        for (unix, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_709_251_200, "2024-03-01 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (LAST, "9999-12-31 23:59:59 UTC"),
            (LAST + 1, "unix time 253402300800"),
            (u64::MAX, "unix time 18446744073709551615"),
        ] {
            assert_eq!(date(unix), expected);
        }
    }

    #[test]
    fn dates_of_http_are_read_and_nothing_else() {
        // As `date -u -d '…' +%s` has them.
        for (text, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            (" Tue, 29 Feb 2000 00:00:00 GMT ", Some(951_782_400)),
            ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LAST)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
            ("Sun, 06 nov 1994 08:49:37 GMT", None),
            ("Sun, 06 anF 1994 08:49:37 GMT", None),
            ("Sun, +6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 1 GMT", None),
            ("Sun, 06 Nov 18446744073709551616 08:49:37 GMT", None),
            ("120", None),
            (" GMT", None),
            ("", None),
            ("é, é é é é GMT", None),
        ] {
            assert_eq!(from_http(text), expected, "{text}");
        }
    }

    #[test]
    fn days_are_read_and_nothing_else() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("1994-11-06", Some(784_080_000)),
            ("2000-02-29", Some(951_782_400)),
            ("9999-12-31", Some(LAST + 1 - DAY)),
            ("1969-12-31", None),
            ("0000-01-01", None),
            ("2023-02-29", None),
            ("2024-02-30", None),
            ("2024-04-31", None),
            ("2024-13-01", None),
            ("2024-00-01", None),
            ("2024-01-00", None),
            ("2024-1-1", None),
            ("24-01-01", None),
            ("2024-01-01T00:00:00Z", None),
            ("2024-01-01-", None),
            (" 2024-01-01", None),
            ("+024-01-01", None),
            ("NaN", None),
            ("", None),
        ] {
            assert_eq!(from_day(text), expected, "{text}");
        }
    }

    #[test]
    fn durations_read_as_those_of_supervisorctl() {
        for (seconds, expected) in [
            (0, "0:00:00"),
            (20, "0:00:20"),
            (86_399, "23:59:59"),
            (93_784, "1 day, 2:03:04"),
            (172_800, "2 days, 0:00:00"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }
}
