//! A gateway as a row of the fleet's table: what its last reports say, and what in them is cause for alarm.

use crate::murano::store::{Device, Point};
use gwe::app::TarballName;
use serde_json::{json, Map, Value};

/// What a gateway does until it is told otherwise.
const DEFAULT_INTERVAL: u64 = 14_400;
/// A gateway is late after two intervals without a word, and this much for the way.
const GRACE: u64 = 60;
/// A file system that is fuller than this is cause for alarm, in per cent.
const FULL: u64 = 90;

/// The newest points that a row is made of.
#[derive(Debug, Default)]
pub struct Latest {
    /// `engine_report`
    pub report: Option<Point>,
    /// `device_info`
    pub info: Option<Point>,
    /// `engine_fetch`; empty where the gateway has taken it.
    pub order: Option<Point>,
    /// The last `engine_fetch` that was not empty.
    pub ordered: Option<Point>,
    /// `fetch_status`
    pub status: Option<Point>,
    /// The last `update_interval` that was not empty.
    pub interval: Option<Point>,
    /// Unix seconds of the last request that bore its CIK.
    pub contact: Option<i64>,
}

/// The row: serial number, whether it is activated, last contact, agent version, apps, pending order, alarms.
pub fn row(device: &Device, latest: &Latest, now: i64) -> Value {
    let apps = apps(value(&latest.report));
    let version = apps.iter().find(|app| app["name"] == "gwe").map(|app| app["version"].clone());
    let contact = latest.contact.or(latest.report.as_ref().map(|point| point.ts as i64));
    let interval = value(&latest.interval).trim().parse().unwrap_or(DEFAULT_INTERVAL);
    let mut alarms = Vec::new();
    alarms.extend(contact.and_then(|contact| late(contact, interval, now)));
    alarms.extend(apps.iter().filter_map(fatal));
    alarms.extend(value(&latest.status).lines().filter_map(rolled_back));
    alarms.extend(full_disks(value(&latest.info)));
    json!({
        "sn": device.sn,
        "activated": device.cik.is_some(),
        "enabled": device.enabled,
        "contact": contact,
        "interval": interval,
        "version": version,
        "apps": apps,
        "pending": pending(value(&latest.order)),
        "orders": orders(latest),
        "alarms": alarms,
    })
}

fn value(point: &Option<Point>) -> &str {
    point.as_ref().map_or("", |point| point.value.as_str())
}

/// `{"apps": [{"<name>": {…}}, …]}` as a list of objects with their names; what is of another shape is left out.
fn apps(report: &str) -> Vec<Value> {
    let report: Value = serde_json::from_str(report).unwrap_or_default();
    let list = report["apps"].as_array().cloned().unwrap_or_default();
    let named = list.into_iter().filter_map(|entry| match entry {
        Value::Object(entry) => entry.into_iter().next(),
        _ => None,
    });
    named.filter_map(|(name, facts)| app(&name, facts.as_object()?)).collect()
}

fn app(name: &str, facts: &Map<String, Value>) -> Option<Value> {
    let mut app = json!({ "name": name });
    for key in ["status", "version", "uptime", "exitstatus", "rss_kb", "pid", "note"] {
        if let Some(fact) = facts.get(key).filter(|fact| fact.is_string() || fact.is_number()) {
            app[key] = fact.clone();
        }
    }
    Some(app)
}

/// The names in an `engine_fetch` that the gateway has not yet taken.
pub fn pending(order: &str) -> Vec<String> {
    let order: Value = serde_json::from_str(order.trim_start_matches('\u{feff}')).unwrap_or_default();
    let entries = order["install"].as_array().cloned().unwrap_or_default();
    entries.iter().filter_map(|entry| entry["name"].as_str().map(str::to_string)).collect()
}

/// How far each tarball of the last order is. What happens between taking an order and its end the gateway does not tell.
fn orders(latest: &Latest) -> Vec<Value> {
    let Some(ordered) = &latest.ordered else { return Vec::new() };
    let waiting = pending(value(&latest.order));
    let told = latest.status.as_ref().filter(|status| status.ts >= ordered.ts).map_or("", |status| &status.value);
    let order = |name: String| {
        let (state, line) = match verdict(&name, told) {
            _ if waiting.contains(&name) => ("requested", None),
            Some((state, line)) => (state, Some(line)),
            None => ("taken", None),
        };
        json!({ "name": name, "state": state, "line": line, "ts": ordered.ts })
    };
    let mut orders: Vec<Value> = pending(&ordered.value).into_iter().map(order).collect();
    orders.extend(logs(&ordered.value).map(|names| {
        let state = match told.lines().any(is_of_logs) {
            _ if logs(value(&latest.order)).is_some() => "requested",
            true => "answered",
            false => "awaited",
        };
        json!({ "name": format!("logs of {names}"), "state": state, "line": null, "ts": ordered.ts })
    }));
    orders
}

/// Whose logs an `engine_fetch` asks for.
fn logs(order: &str) -> Option<String> {
    let order: Value = serde_json::from_str(order.trim_start_matches('\u{feff}')).unwrap_or_default();
    let names: Vec<&str> = order["logs"].as_object()?.keys().map(String::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A line of `fetch_status` that answers for logs.
fn is_of_logs(line: &str) -> bool {
    ["== log of ", "[gwe] no log of ", "[gwe] failed: logs"].iter().any(|words| line.starts_with(words))
}

/// The last line about a tarball in a `fetch_status`, and what it says.
fn verdict<'a>(tarball: &str, told: &'a str) -> Option<(&'static str, &'a str)> {
    let name = TarballName::parse(tarball).ok()?;
    let words = format!("{} v{}", name.app(), name.version());
    let is_about = |rest: &str| rest.strip_prefix(&words).is_some_and(|rest| rest.starts_with([' ', ':']));
    told.lines().rev().find_map(|line| {
        let said = line.strip_prefix("[gwe] ")?;
        let mut states = ["installed", "failed", "rolled back"].into_iter();
        let state = states
            .find(|state| said.strip_prefix(state).and_then(|rest| rest.strip_prefix(' ')).is_some_and(is_about))?;
        Some((state, line))
    })
}

fn alarm(kind: &str, text: String) -> Value {
    json!({ "kind": kind, "text": text })
}

fn late(contact: i64, interval: u64, now: i64) -> Option<Value> {
    let silent = u64::try_from(now.saturating_sub(contact)).unwrap_or(0);
    let limit = interval.saturating_mul(2).saturating_add(GRACE);
    (silent > limit).then(|| alarm("late", format!("no word for {silent} s, at an interval of {interval} s")))
}

fn fatal(app: &Value) -> Option<Value> {
    let name = app["name"].as_str()?;
    (app["status"] == "FATAL").then(|| alarm("fatal", format!("{name} is FATAL")))
}

/// A line of `fetch_status` that tells of a roll-back.
fn rolled_back(line: &str) -> Option<Value> {
    let text = line.strip_prefix("[gwe] rolled back ")?;
    Some(alarm("rolled back", format!("rolled back {text}")))
}

/// From the text of `df`. What is full to the last block and has never been anything else is an image that is only read.
fn full_disks(info: &str) -> Vec<Value> {
    let info: Value = serde_json::from_str(info).unwrap_or_default();
    let df = info["df"].as_str().unwrap_or("");
    df.lines().skip(1).filter_map(full_disk).collect()
}

fn full_disk(line: &str) -> Option<Value> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| word.len() > 1 && word.ends_with('%'))?;
    let percent: u64 = words[at].trim_end_matches('%').parse().ok()?;
    let number = |back: usize| at.checked_sub(back).and_then(|at| words.get(at)?.parse::<u64>().ok());
    let (blocks, used, available) = (number(3)?, number(2)?, number(1)?);
    let is_read_only = available == 0 && used == blocks;
    let mount = words.get(at + 1..)?.join(" ");
    (percent > FULL && !is_read_only).then(|| alarm("disk", format!("{mount} is {percent} % full")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(value: impl ToString) -> Option<Point> {
        Some(Point { alias: String::new(), ts: 1000.0, value: value.to_string() })
    }

    fn device() -> Device {
        Device { sn: "g".into(), cik: Some("c".repeat(40)), enabled: false }
    }

    #[test]
    fn a_row_tells_what_the_reports_say() {
        let report = json!({"apps": [
            {"gwe": {"status": "RUNNING", "version": "0.1.0", "uptime": 7, "exitstatus": 0}},
            {"x": {"status": "FATAL", "version": "2", "uptime": 0, "exitstatus": 1}}]});
        let df = "Filesystem 1K-blocks Used Available Use% Mounted on\n\
                  /dev/root 100 100 0 100% /\n/dev/vdb 100 91 9 91% /var/lib/a b\n/dev/vdc 100 90 10 90% /x\n- - - - - /y";
        let latest = Latest {
            report: point(report),
            info: point(json!({ "df": df })),
            order: point(r#"{"install": [{"name": "x.v3.tar.gz"}, {"nom": 1}]}"#),
            ordered: None,
            status: point("hi\n[gwe] rolled back x v3 to v2: it did not stay up\n[gwe] installed y v1 in 1 s"),
            interval: point("10"),
            contact: Some(1000),
        };
        let row = row(&device(), &latest, 1081);
        assert_eq!(row["version"], "0.1.0");
        assert_eq!(row["pending"], json!(["x.v3.tar.gz"]));
        let alarms: Vec<&str> = row["alarms"].as_array().unwrap().iter().map(|a| a["text"].as_str().unwrap()).collect();
        assert_eq!(
            alarms,
            [
                "no word for 81 s, at an interval of 10 s",
                "x is FATAL",
                "rolled back x v3 to v2: it did not stay up",
                "/var/lib/a b is 91 % full"
            ]
        );
    }

    #[test]
    fn reports_of_any_shape_are_taken() {
        for text in ["", "null", "{", "[]", r#"{"apps": {}}"#, r#"{"apps": [1, {}, {"a": 1}, {"b": {"status": []}}]}"#]
        {
            let latest = Latest { report: point(text), info: point(text), order: point(text), ..Latest::default() };
            let row = row(&device(), &latest, i64::MIN);
            assert_eq!(row["alarms"], json!([]), "{text}");
            assert_eq!(row["pending"], json!([]), "{text}");
        }
    }

    #[test]
    fn an_order_is_followed_to_its_end() {
        let order = r#"{"install": [{"name": "x.v3.tar.gz"}]}"#;
        for (waiting, told_at, told, state) in [
            (order, 999.0, "", "requested"),
            (order, 1001.0, "[gwe] installed x v3 in 1 s", "requested"),
            ("", 999.0, "[gwe] installed x v3 in 1 s", "taken"),
            ("", 1000.0, "[gwe] installed x v3 in 1 s", "installed"),
            ("", 1000.0, "[gwe] installed x v3.1 in 1 s\n[gwe] installed xx v3 in 1 s", "taken"),
            ("", 1000.0, "[gwe] installed x v3 in 1 s\n[gwe] failed x v3: full", "failed"),
            ("", 1000.0, "\n[gwe] rolled back x v3 to v2: gone", "rolled back"),
            ("", 1000.0, "[gwe] restoring x v2: gone", "taken"),
        ] {
            let status = Some(Point { alias: String::new(), ts: told_at, value: told.to_string() });
            let latest = Latest { order: point(waiting), ordered: point(order), status, ..Latest::default() };
            assert_eq!(row(&device(), &latest, 0)["orders"][0]["state"], state, "{told}");
        }
    }

    #[test]
    fn an_order_for_logs_alone_is_an_order() {
        let order = r#"{"logs": {"gwe": 200, "my_app": 200}}"#;
        for (waiting, told_at, told, state) in [
            (order, 1001.0, "== log of gwe: /x ==", "requested"),
            ("", 999.0, "== log of gwe: /x ==", "awaited"),
            ("", 1000.0, "[gwe] installed x v3 in 1 s\n| == log of gwe: /x ==", "awaited"),
            ("", 1000.0, "== log of gwe: /x ==\n| one", "answered"),
            ("", 1000.0, "[gwe] no log of gwe: there is no such app here", "answered"),
        ] {
            let status = Some(Point { alias: String::new(), ts: told_at, value: told.to_string() });
            let latest = Latest { order: point(waiting), ordered: point(order), status, ..Latest::default() };
            let orders = &row(&device(), &latest, 0)["orders"];
            assert_eq!(orders[0]["state"], state, "{told}");
            assert_eq!((&orders[0]["name"], &orders[1]), (&json!("logs of gwe, my_app"), &Value::Null));
        }
    }

    #[test]
    fn who_never_called_is_not_late() {
        let row = row(&device(), &Latest::default(), 2_000_000_000);
        assert_eq!((&row["contact"], &row["alarms"]), (&Value::Null, &json!([])));
    }
}
