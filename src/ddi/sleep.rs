//! `config.polling.sleep`: how long the server wants to be left alone (hawkbit#2533, zephyr#71026: it is not always eight characters).

use std::time::Duration;

/// The longest text that is read, in bytes.
const MAX_TEXT: usize = 64;
/// What is asked for less often than this would put the gateway out of the fleet's reach.
const LONGEST: u64 = 366 * DAY;
const DAY: u64 = 24 * HOUR;
const HOUR: u64 = 3600;
const MINUTE: u64 = 60;

/// Reads `HH:mm:ss`, `d:HH:mm:ss` or ISO 8601 (`P1D`, `PT36H`, `P2DT3H4M`); `None` for anything else and for nothing at all.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.len() > MAX_TEXT {
        return None;
    }
    let seconds = match text.strip_prefix('P') {
        Some(period) => of_period(period)?,
        None => of_clock(text)?,
    };
    (seconds > 0).then(|| Duration::from_secs(seconds.min(LONGEST)))
}

fn of_clock(text: &str) -> Option<u64> {
    let parts: Vec<&str> = text.split(':').collect();
    let units: &[u64] = match parts.len() {
        3 => &[HOUR, MINUTE, 1],
        4 => &[DAY, HOUR, MINUTE, 1],
        _ => return None,
    };
    parts.iter().zip(units).try_fold(0_u64, |sum, (part, unit)| sum.checked_add(number(part)?.checked_mul(*unit)?))
}

fn of_period(text: &str) -> Option<u64> {
    let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
    let days = of_units(date, &[('W', 7 * DAY), ('D', DAY)])?;
    match time {
        Some("") => None,
        Some(time) => days.checked_add(of_units(time, &[('H', HOUR), ('M', MINUTE), ('S', 1)])?),
        None => Some(days),
    }
}

/// Numbers with their units, each at most once and in this order.
fn of_units(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut sum = 0_u64;
    for (unit, seconds) in units {
        if let Some((count, rest)) = text.split_once(*unit) {
            // A fraction of a second is none.
            let whole = if *unit == 'S' { count.split_once('.').map_or(count, |(whole, _)| whole) } else { count };
            sum = sum.checked_add(number(whole)?.checked_mul(*seconds)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(sum)
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_was_seen_and_none_that_makes_no_sense() {
        for (text, want) in [
            ("00:05:00", Some(300)),
            (" 00:00:01 ", Some(1)),
            ("1:02:03", Some(3723)),
            ("36:00:00", Some(129_600)),
            ("1:00:00:00", Some(86_400)),
            ("P1D", Some(86_400)),
            ("PT36H", Some(129_600)),
            ("P2DT3H4M", Some(183_840)),
            ("PT1M30.5S", Some(90)),
            ("P1W", Some(604_800)),
            ("9999:00:00", Some(366 * 86_400)),
            ("P99999D", Some(366 * 86_400)),
            ("00:00:00", None),
            ("PT0S", None),
            ("P", None),
            ("PT", None),
            ("P1M", None),
            ("PT1D", None),
            ("-1:00:00", None),
            ("00:05", None),
            ("00:05:xx", None),
            ("99999999999999999999:00:00", None),
            ("18446744073709551615:00:00", None),
            ("300", None),
            ("", None),
        ] {
            assert_eq!(parse(text).map(|time| time.as_secs()), want, "{text:?}");
        }
    }
}
