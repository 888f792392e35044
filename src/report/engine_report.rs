//! `engine_report`: `{"apps": [{"<name>": {"exitstatus": …, "status": "RUNNING", "uptime": …, "version": …}}, …]}`.
//!
//! Each key of an app has one type and is always there, since dashboards print what they find: `exitstatus` and `uptime` are
//! integers, `status` and `version` are strings. `uptime` is in seconds (0 when not running): text like supervisorctl's
//! `0:00:20` can be made of it, but not sorted, drawn or compared with a threshold. `pid` and `rss_kb` are there while
//! there is a process, `probe_restarts` where it is asked by a probe again and again, `note` where there is something to say, such as a roll-back.

use super::MAX_REPORT;
use crate::format::json::{shortened, Json};
use crate::format::sort::sort;

/// The status of an app without a process: its `install.sh` has run, and that was all (one-off apps and libraries).
pub const INSTALLED: &str = "INSTALLED";
/// The status of an app that is neither installed nor known to supervisord: there is only a note about it.
pub const NOT_INSTALLED: &str = "NOT INSTALLED";

/// Names and versions are cut at so many characters.
const MAX_NAME: usize = 100;
/// Statuses are cut at so many characters.
const MAX_STATUS: usize = 32;
/// Notes are cut at so many characters.
const MAX_NOTE: usize = 300;
/// What ends the report, the count of what was left out included, takes at most so many bytes.
const MAX_END: usize = 40;

/// What `engine_report` tells of one app, `gwe` and `gmq` included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppFacts {
    /// Its name, which is also that of its program at supervisord.
    pub name: String,
    /// The installed version; `None` for a program that came with the image.
    pub version: Option<String>,
    /// A sentence for whoever looks: that this is the previous version, say, and why.
    pub note: Option<String>,
    /// What supervisord says; `None` where it does not know the app.
    pub process: Option<ProcessFacts>,
    /// Memory in use by the app, in units of 1024 bytes.
    pub rss_kb: Option<u64>,
}

/// What supervisord says of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessFacts {
    /// `RUNNING`, `STOPPED`, `FATAL`, …
    pub status: String,
    /// Of its last end; 0 before the first.
    pub exitstatus: i64,
    /// `None` while it is not running.
    pub pid: Option<u32>,
    /// Seconds since it was started; 0 while it is not running.
    pub uptime_s: u64,
    /// How often it was started again since it did not answer its probe; `None`: it is not asked.
    pub probe_restarts: Option<u64>,
}

impl AppFacts {
    /// Its process; where there is none, what that means.
    #[must_use]
    pub fn process(&self) -> ProcessFacts {
        self.process.clone().unwrap_or_else(|| ProcessFacts {
            status: if self.version.is_some() { INSTALLED } else { NOT_INSTALLED }.to_string(),
            ..ProcessFacts::default()
        })
    }
}

/// The report, sorted by name, at most [`MAX_REPORT`] bytes. `left_out` beside `apps` counts those that did not fit.
#[must_use]
pub fn engine_report(apps: &[AppFacts]) -> String {
    let mut sorted: Vec<(&str, usize)> = apps.iter().map(|app| app.name.as_str()).zip(0..).collect();
    sort(&mut sorted);

    let mut json = Json::new();
    json.begin_object();
    json.key("apps");
    json.begin_array();
    let mut left_out = 0;
    for app in sorted.iter().filter_map(|(_, index)| apps.get(*index)) {
        let length = json.len();
        write_app(&mut json, app);
        if json.len() + MAX_END > MAX_REPORT {
            json.take_back(length);
            left_out += 1;
        }
    }
    json.end_array();
    if left_out > 0 {
        json.key("left_out");
        json.unsigned(left_out);
    }
    json.end_object();
    json.finish()
}

fn write_app(json: &mut Json, app: &AppFacts) {
    let process = app.process();
    json.begin_object();
    json.key(&shortened(&app.name, MAX_NAME));
    json.begin_object();
    json.key("exitstatus");
    json.signed(process.exitstatus);
    json.key("status");
    json.string(&shortened(&process.status, MAX_STATUS));
    json.key("uptime");
    json.unsigned(process.uptime_s);
    json.key("version");
    json.string(&shortened(app.version.as_deref().unwrap_or_default(), MAX_NAME));
    if let Some(pid) = process.pid {
        json.key("pid");
        json.unsigned(pid.into());
    }
    if let Some(rss_kb) = app.rss_kb {
        json.key("rss_kb");
        json.unsigned(rss_kb);
    }
    if let Some(count) = process.probe_restarts {
        json.key("probe_restarts");
        json.unsigned(count);
    }
    if let Some(note) = &app.note {
        json.key("note");
        json.string(&shortened(note, MAX_NOTE));
    }
    json.end_object();
    json.end_object();
}

#[cfg(test)]
mod tests {
    use super::*;
    use miniserde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    struct Parsed {
        apps: Vec<BTreeMap<String, App>>,
        left_out: Option<u64>,
    }

    #[derive(Deserialize)]
    struct App {
        exitstatus: i64,
        status: String,
        uptime: u64,
        version: String,
        pid: Option<u32>,
        rss_kb: Option<u64>,
        note: Option<String>,
    }

    fn app(name: &str, version: Option<&str>) -> AppFacts {
        AppFacts { name: name.into(), version: version.map(String::from), ..AppFacts::default() }
    }

    fn process(status: &str, exitstatus: i64, pid: Option<u32>, uptime_s: u64) -> Option<ProcessFacts> {
        Some(ProcessFacts { status: status.into(), exitstatus, pid, uptime_s, probe_restarts: None })
    }

    #[test]
    fn each_kind_of_app_has_its_form() {
        let cases = [
            (
                AppFacts {
                    process: process("RUNNING", 0, Some(578), 20),
                    rss_kb: Some(1044),
                    ..app("gwe", Some("1.0.0"))
                },
                r#""gwe":{"exitstatus":0,"status":"RUNNING","uptime":20,"version":"1.0.0","pid":578,"rss_kb":1044}"#,
            ),
            (
                AppFacts { process: process("FATAL", 1, None, 0), ..app("watchdog", None) },
                r#""watchdog":{"exitstatus":1,"status":"FATAL","uptime":0,"version":""}"#,
            ),
            (app("lib", Some("2")), r#""lib":{"exitstatus":0,"status":"INSTALLED","uptime":0,"version":"2"}"#),
            (
                AppFacts { note: Some("failed v3: \"no\"".into()), ..app("bad", None) },
                r#""bad":{"exitstatus":0,"status":"NOT INSTALLED","uptime":0,"version":"","note":"failed v3: \"no\""}"#,
            ),
        ];
        for (facts, expected) in cases {
            assert_eq!(engine_report(&[facts]), format!("{{\"apps\":[{{{expected}}}]}}"));
        }
        assert_eq!(engine_report(&[]), r#"{"apps":[]}"#);
    }

    #[test]
    fn apps_are_sorted_and_read_back_by_a_parser() {
        let mut rolled_back = app("b\"\n", Some("1"));
        rolled_back.process = process("EXITED", -1, None, 0);
        rolled_back.note = Some("rolled back from v2".into());
        let parsed: Parsed =
            miniserde::json::from_str(&engine_report(&[rolled_back, app("gmq", None), app("a", Some("v"))])).unwrap();
        let names: Vec<&str> = parsed.apps.iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
        assert_eq!(names, ["a", "b\"\n", "gmq"]);
        let read = &parsed.apps[1]["b\"\n"];
        assert_eq!((read.exitstatus, read.status.as_str(), read.uptime, read.version.as_str()), (-1, "EXITED", 0, "1"));
        assert_eq!((read.pid, read.rss_kb, read.note.as_deref()), (None, None, Some("rolled back from v2")));
        assert_eq!(parsed.left_out, None);
    }

    #[test]
    fn the_worst_facts_stay_within_the_limit_and_the_rest_is_counted() {
        let worst = |name: String| AppFacts {
            version: Some("\u{1}".repeat(9000)),
            note: Some("\u{1}".repeat(9000)),
            process: process(&"\u{1}".repeat(9000), i64::MIN, Some(u32::MAX), u64::MAX),
            rss_kb: Some(u64::MAX),
            name,
        };
        let apps: Vec<AppFacts> = (0..3000).map(|i| worst(format!("{i:04}") + &"\u{1}".repeat(9000))).collect();
        let report = engine_report(&apps);
        assert!(report.len() <= MAX_REPORT, "{}", report.len());
        let parsed: Parsed = miniserde::json::from_str(&report).unwrap();
        assert!(!parsed.apps.is_empty());
        assert_eq!(parsed.apps.len() as u64 + parsed.left_out.unwrap(), 3000);
    }

    #[test]
    fn a_hundred_ordinary_apps_fit() {
        let apps: Vec<AppFacts> = (0..100)
            .map(|i| AppFacts {
                process: process("RUNNING", 0, Some(30000 + i), 10_000_000),
                rss_kb: Some(123_456),
                ..app(&format!("my_application_{i:02}"), Some("1.23.4"))
            })
            .collect();
        assert!(!engine_report(&apps).contains("left_out"));
    }
}
