//! `usage_report`: `{"<iface>": {"top_consumer": "<name>", "since_boot": {"<consumer>": {"tot_rx", "max_rx", "tot_tx",
//! "max_tx", "num"}}}}`: bytes received and sent, in all and by the largest request, and the number of requests.
//!
//! The readers that exist walk over every value of an interface and over every key of that value, the letters of
//! `top_consumer` included, and tell a consumer by a key longer than two characters. So nothing else stands beside
//! `top_consumer` and [`PERIOD`], a consumer's name is longer than two characters, and `top_consumer` is shorter than 100.

use super::MAX_REPORT;
use crate::format::json::Json;
use crate::format::sort::sort_by_key;
use crate::http::usage::UsageRow;

/// The key of the consumers: what they are counted over, as the account of requests is volatile.
pub const PERIOD: &str = "since_boot";

/// Consumers with other names are left out.
const CONSUMER_LENGTHS: std::ops::Range<usize> = 3..100;
/// An interface's name has at most 15 bytes; a row with a longer one is left out.
const MAX_IFACE: usize = 32;
/// What ends the report after an interface, the count of what was left out included, takes at most so many bytes.
const MAX_END: usize = 40;

/// The report, sorted by interface and consumer, at most [`MAX_REPORT`] bytes. Rows of the same two names are added up.
/// `left_out` beside the interfaces counts those that did not fit.
#[must_use]
pub fn usage_report(rows: &[UsageRow]) -> String {
    let mut json = Json::new();
    json.begin_object();
    let mut left_out = 0;
    for (iface, consumers) in by_interface(rows) {
        let length = json.len();
        write_interface(&mut json, iface, &consumers);
        if json.len() + MAX_END > MAX_REPORT {
            json.take_back(length);
            left_out += 1;
        }
    }
    if left_out > 0 {
        json.key("left_out");
        json.unsigned(left_out);
    }
    json.end_object();
    json.finish()
}

/// The rows of each interface, one for each consumer, by their names.
fn by_interface(rows: &[UsageRow]) -> Vec<(&str, Vec<UsageRow>)> {
    let is_known = |row: &&UsageRow| CONSUMER_LENGTHS.contains(&row.consumer.len()) && row.iface.len() <= MAX_IFACE;
    let mut sorted: Vec<&UsageRow> = rows.iter().filter(is_known).collect();
    sort_by_key(&mut sorted, |row| (row.iface.clone(), row.consumer.clone()));
    let mut interfaces: Vec<(&str, Vec<UsageRow>)> = Vec::new();
    for row in sorted {
        match interfaces.last_mut() {
            Some((iface, consumers)) if *iface == row.iface => match consumers.last_mut() {
                Some(same) if same.consumer == row.consumer => same.add(row),
                _ => consumers.push(row.clone()),
            },
            _ => interfaces.push((&row.iface, vec![row.clone()])),
        }
    }
    interfaces
}

fn write_interface(json: &mut Json, iface: &str, consumers: &[UsageRow]) {
    // Of several with as much, the first by name.
    let top = consumers.iter().rev().max_by_key(|row| row.total()).map_or("", |row| &row.consumer);
    json.key(iface);
    json.begin_object();
    json.key("top_consumer");
    json.string(top);
    json.key(PERIOD);
    json.begin_object();
    for row in consumers {
        json.key(&row.consumer);
        write_usage(json, row);
    }
    json.end_object();
    json.end_object();
}

fn write_usage(json: &mut Json, usage: &UsageRow) {
    json.begin_object();
    for (key, value) in [
        ("tot_rx", usage.tot_rx),
        ("max_rx", usage.max_rx),
        ("tot_tx", usage.tot_tx),
        ("max_tx", usage.max_tx),
        ("num", usage.num),
    ] {
        json.key(key);
        json.unsigned(value);
    }
    json.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniserde::json::{self, Value};

    fn row(iface: &str, consumer: &str, rx: (u64, u64), tx: (u64, u64), num: u64) -> UsageRow {
        UsageRow {
            iface: iface.into(),
            consumer: consumer.into(),
            tot_rx: rx.0,
            max_rx: rx.1,
            tot_tx: tx.0,
            max_tx: tx.1,
            num,
        }
    }

    #[test]
    fn interfaces_and_consumers_are_sorted_and_the_largest_is_named() {
        let rows = [
            row("wwan0", "gdc", (1, 1), (1, 1), 1),
            row("eth0", "gwe", (100, 60), (40, 30), 2),
            row("eth0", "gmq", (10, 10), (200, 100), 5),
        ];
        let expected = concat!(
            r#"{"eth0":{"top_consumer":"gmq","since_boot":{"#,
            r#""gmq":{"tot_rx":10,"max_rx":10,"tot_tx":200,"max_tx":100,"num":5},"#,
            r#""gwe":{"tot_rx":100,"max_rx":60,"tot_tx":40,"max_tx":30,"num":2}}},"#,
            r#""wwan0":{"top_consumer":"gdc","since_boot":{"gdc":{"tot_rx":1,"max_rx":1,"tot_tx":1,"max_tx":1,"num":1}}}}"#
        );
        assert_eq!(usage_report(&rows), expected);
        assert_eq!(usage_report(&[]), "{}");
    }

    #[test]
    fn rows_of_the_same_names_are_added_up() {
        let rows = [row("eth0", "gwe", (u64::MAX, 7), (2, 2), 1), row("eth0", "gwe", (5, 5), (3, 3), 1)];
        let report = usage_report(&rows);
        assert!(
            report.contains(&format!(r#"{{"tot_rx":{},"max_rx":7,"tot_tx":5,"max_tx":3,"num":2}}"#, u64::MAX)),
            "{report}"
        );
    }

    #[test]
    fn of_several_with_as_much_the_first_is_the_top_consumer() {
        let rows = [row("eth0", "gwe", (5, 0), (5, 0), 1), row("eth0", "gmq", (10, 0), (0, 0), 1)];
        assert!(usage_report(&rows).contains(r#""top_consumer":"gmq""#));
    }

    #[test]
    fn names_that_readers_would_misread_are_left_out() {
        for (name, is_kept) in
            [("", false), ("ab", false), ("abc", true), (&*"x".repeat(99), true), (&*"x".repeat(100), false)]
        {
            assert_eq!(usage_report(&[row("eth0", name, (1, 1), (1, 1), 1)]) != "{}", is_kept, "{name}");
        }
        assert_eq!(usage_report(&[row(&"e".repeat(33), "gwe", (1, 1), (1, 1), 1)]), "{}");
    }

    #[test]
    fn the_worst_rows_stay_within_the_limit_and_the_rest_is_counted() {
        let max = (u64::MAX, u64::MAX);
        let rows: Vec<UsageRow> = (0..900)
            .map(|i| {
                row(
                    &format!("{}{:03}", "\u{1}".repeat(20), i / 3),
                    &format!("{}{}", "\u{2}".repeat(90), i % 3),
                    max,
                    max,
                    u64::MAX,
                )
            })
            .collect();
        let report = usage_report(&rows);
        assert!(report.len() <= MAX_REPORT && report.len() > MAX_REPORT / 2, "{}", report.len());
        let Ok(Value::Object(interfaces)) = json::from_str(&report) else { panic!("{report}") };
        let Some(Value::Number(json::Number::U64(left_out))) = interfaces.get("left_out") else { panic!("{report}") };
        assert_eq!(interfaces.len() as u64 - 1 + left_out, 300);
    }
}
