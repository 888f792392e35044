//! A gateway that boots in 1970: its clock is turned by a small library that is loaded before the C library's own.

use gwe_tests::harness::{wait_until, Gmq, Murano, Scratch};
use gwe_tests::skip;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIMIT: Duration = Duration::from_secs(60);

/// Adds the number of seconds in the file `$CLOCK_OFFSET` to the wall clock, and says that no NTP client has set it.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

static long offset(void)
{
    long value = 0;
    const char *path = getenv("CLOCK_OFFSET");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fscanf(file, "%ld", &value) != 1)
            value = 0;
        fclose(file);
    }
    return value;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME)
        time->tv_sec += offset();
    return result;
}

int adjtimex(struct timex *time)
{
    const char *set = getenv("CLOCK_SET");
    FILE *file = set ? fopen(set, "r") : NULL;
    time->status = file ? 0 : STA_UNSYNC;
    if (file)
        fclose(file);
    return 0;
}
"#;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A gmq whose clock is wrong by the seconds in a file, and set once another file is there.
struct Wrong {
    gmq: Gmq,
    offset: PathBuf,
    set: PathBuf,
    _scratch: Scratch,
}

fn wrong_clock(murano: &Murano, offset: i64) -> Option<Wrong> {
    let scratch = Scratch::new();
    let (source, library) = (scratch.write("shim.c", SHIM), scratch.path("shim.so"));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    if cc.output().map_or(true, |out| !out.status.success()) {
        return None;
    }
    let offset_file = scratch.write("offset", offset.to_string());
    let set = scratch.path("set");
    let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 0.2\n");
    gmq.environment(&[
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("CLOCK_OFFSET", offset_file.to_str().unwrap()),
        ("CLOCK_SET", set.to_str().unwrap()),
    ]);
    gmq.run();
    Some(Wrong { gmq, offset: offset_file, set, _scratch: scratch })
}

fn times(murano: &Murano, alias: &str) -> Vec<u64> {
    let state = murano.state();
    let points = state["data"]["1"][alias].as_array().cloned().unwrap_or_default();
    points.iter().map(|point| point[0].as_f64().unwrap() as u64).collect()
}

fn assert_near(found: &[u64], expected: &[u64]) {
    assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
    for (a, b) in found.iter().zip(expected) {
        assert!(a.abs_diff(*b) <= 1, "{found:?} {expected:?}");
    }
}

#[test]
fn a_clock_in_1970_is_put_right_by_the_platform_before_anything_is_sent() {
    let murano = Murano::start();
    let begun = now();
    let wrong = wrong_clock(&murano, -(begun as i64) + 30);
    let Some(wrong) = wrong else { skip!("needs cc") };
    let gmq = &wrong.gmq;
    murano.faults(&["any:refuse"]);
    let mut expected = Vec::new();
    for _ in 0..3 {
        expected.push(now());
        assert_eq!(gmq.write("1", "a=1"), 204);
        // An app that reads the same wrong clock: it shows some 30 seconds.
        assert_eq!(gmq.record("1", "b", &format!("{}=1", now() - begun + 30)), 204);
        std::thread::sleep(Duration::from_millis(1200));
    }
    // An app that has the time from elsewhere.
    assert_eq!(gmq.record("1", "c", "1750000000=1"), 204);
    assert!(gmq.gmq(&["status"]).ok().stdout.contains("not known good"));
    murano.clear_faults();
    gmq.drained(LIMIT);
    assert_near(&times(&murano, "a"), &expected);
    assert_near(&times(&murano, "b"), &expected);
    assert_eq!(times(&murano, "c"), [1_750_000_000]);
    // The rest of this boot needs no further question.
    let asked = murano.count(gwe_tests::murano::endpoint::Endpoint::Timestamp);
    let at = now();
    assert_eq!(gmq.record("1", "d", &format!("{}=1", now() - begun + 30)), 204);
    gmq.drained(LIMIT);
    assert_near(&times(&murano, "d"), &[at]);
    assert_eq!(murano.count(gwe_tests::murano::endpoint::Endpoint::Timestamp), asked);
}

#[test]
fn ntp_that_comes_late_puts_the_points_right_also_over_a_restart() {
    let murano = Murano::start();
    murano.faults(&["timestamp:status=503", "any:pass"]);
    let Some(mut wrong) = wrong_clock(&murano, -7200) else { skip!("needs cc") };
    let at = now();
    assert_eq!(wrong.gmq.record("1", "a", &format!("{}=1", at - 7200)), 204);
    wrong.gmq.kill();
    wrong.gmq.run();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(times(&murano, "a"), Vec::<u64>::new(), "nothing is sent before the time is known");
    // NTP steps the clock, and says so.
    fs::write(&wrong.offset, "0").unwrap();
    fs::write(&wrong.set, "").unwrap();
    wait_until("the point is there", LIMIT, || !times(&murano, "a").is_empty());
    assert_near(&times(&murano, "a"), &[at]);
}
