//! The points that the queue is given: each has a number, from which all else about it follows, so that whatever comes out
//! of the queue can be told from what never went in.

use crate::random::Random;
use gwe_tests::murano::http::form::encode;
use serde_json::Value;
use std::collections::BTreeSet;

/// The serial number of the device that apps name by its CIK.
pub const CIK_DEVICE: &str = "queue-cik";
/// The serial number of the device that gmq provisions.
pub const VMS_DEVICE: &str = "queue-vms";
/// What apps send at once.
pub const CLIENTS: u64 = 4;
/// The first point's time, unix seconds.
const FIRST_TIME: u64 = 1_700_000_000;

/// Which device a client sends for: each client is one app with one alias.
pub fn device_of(client: u64) -> &'static str {
    [CIK_DEVICE, VMS_DEVICE][(client % 2) as usize]
}

/// Whether it records points with their time, or writes values: of each device one client does the one, one the other.
pub fn records(client: u64) -> bool {
    client < 2
}

/// A point's number, from the client that sends it and how many it has sent before.
pub fn number(client: u64, index: u64) -> u64 {
    index * CLIENTS + client
}

/// Its alias.
pub fn alias(number: u64) -> String {
    format!("alias{}", number % CLIENTS)
}

/// Its time, unix seconds, where it is recorded.
pub fn time(number: u64) -> u64 {
    FIRST_TIME + number
}

/// Its value: the number, and bytes that forms must encode; now and then many of them, so that segments fill.
pub fn value(number: u64) -> String {
    let mut random = Random::of(number, 0);
    let length = if number.is_multiple_of(5) { 4000 } else { 80 };
    let letters: Vec<char> = "abcdefgh &=%+\u{e9}\u{20ac}".chars().collect();
    let text: String = (0..length).map(|_| letters[random.below(letters.len() as u64) as usize]).collect();
    format!("{number}:{text}.")
}

/// The request that sends it: target and body.
pub fn request(number: u64) -> (String, String) {
    let (alias, value) = (alias(number), encode(&value(number)));
    if records(number % CLIENTS) {
        return (format!("/onep:v1/stack/alias/{alias}"), format!("{}={value}", time(number)));
    }
    ("/onep:v1/stack/alias".to_string(), format!("{alias}={value}"))
}

/// All that the platform has of an alias of a device, in the order in which it came. The error says what nobody ever sent.
pub fn arrived(data: &Value, client: u64) -> Result<Vec<u64>, String> {
    let alias = alias(client);
    let points = data[device_of(client)][&alias].as_array().cloned().unwrap_or_default();
    points.iter().map(|point| arrived_point(point, client).ok_or(format!("{alias} has {point}"))).collect()
}

fn arrived_point(point: &Value, client: u64) -> Option<u64> {
    let text = point[1].as_str()?;
    let number: u64 = text.split_once(':')?.0.parse().ok()?;
    let in_time = !records(client) || point[0].as_u64() == Some(time(number));
    (number % CLIENTS == client && in_time && text == value(number)).then_some(number)
}

/// The numbers behind a word among facts.
pub fn numbers(facts: &[crate::witness::Fact], word: &str) -> BTreeSet<u64> {
    let number = |fact: &crate::witness::Fact| fact.text.strip_prefix(word)?.trim().parse().ok();
    facts.iter().filter_map(number).collect()
}
