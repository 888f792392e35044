//! What gmq makes of the platform's answers: 401, 400, 409, 429, 5xx, lost replies, a link that comes and goes.

use gwe_tests::harness::{wait_until, Gmq, Murano};
use gwe_tests::murano::endpoint::Endpoint;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const LIMIT: Duration = Duration::from_secs(30);

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn parts() -> (Murano, Gmq) {
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    (murano, gmq)
}

/// Time, value and kind of each point of an alias, in the order they came.
fn points(murano: &Murano, sn: &str, alias: &str) -> Vec<(f64, String, String)> {
    let state = murano.state();
    let points = state["data"][sn][alias].as_array().cloned().unwrap_or_default();
    let point = |p: serde_json::Value| {
        (p[0].as_f64().unwrap(), p[1].as_str().unwrap().to_string(), p[2].as_str().unwrap().to_string())
    };
    points.into_iter().map(point).collect()
}

#[test]
fn a_write_is_there_when_it_is_answered_and_costs_no_flash() {
    let (murano, gmq) = parts();
    for n in 0..5 {
        assert_eq!(gmq.write("1", &format!("a={n}&b=%26{n}")), 204);
        assert_eq!(murano.history("1", "a").len(), n + 1);
    }
    assert_eq!(murano.history("1", "b")[4], "&4");
    assert_eq!(murano.count(Endpoint::Activate), 1, "provisioned once");
    assert_eq!((gmq.count("queued"), gmq.count("forwarded")), (0, 10));
}

#[test]
fn a_401_is_answered_by_a_new_activation_and_a_retry_at_once() {
    let (murano, gmq) = parts();
    assert_eq!(gmq.write("1", "a=1"), 204);
    murano.server().platform().store.revoke_device("1").unwrap();
    let begun = Instant::now();
    assert_eq!(gmq.write("1", "a=2"), 204);
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(murano.history("1", "a"), ["1", "2"], "at once, and as a write");
    assert_eq!(gmq.count("queued"), 0);
    // In the middle of a batch, too.
    murano.server().platform().store.revoke_device("1").unwrap();
    assert_eq!(gmq.record("1", "r", "1700000000=x&1700000001=y"), 204);
    gmq.drained(LIMIT);
    assert_eq!(murano.history("1", "r"), ["x", "y"]);
    assert_eq!(murano.count(Endpoint::Activate), 3);
}

#[test]
fn ciks_are_kept_private_and_over_a_restart() {
    let (murano, mut gmq) = parts();
    assert_eq!(gmq.write("1", "a=1"), 204);
    gmq.kill();
    gmq.run();
    assert_eq!(gmq.write("1", "a=2"), 204);
    assert_eq!(murano.count(Endpoint::Activate), 1);
    let folder = gmq.gateway().root().path("var/lib/gwe/queue");
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&entry.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{:?}", entry.path());
    }
    let cik = murano.state()["devices"].as_object().unwrap().keys().next().unwrap().clone();
    assert!(!gmq.log().contains(&cik), "never logged whole");
}

#[test]
fn what_is_written_in_an_outage_is_recorded_at_its_own_time() {
    let (murano, mut gmq) = parts();
    assert_eq!(gmq.write("1", "a=before"), 204);
    murano.faults(&["any:refuse"]);
    let mut times = Vec::new();
    for n in 0..3 {
        times.push(now());
        assert_eq!(gmq.write("1", &format!("a={n}")), 204);
        // A device that nobody has seen before.
        assert_eq!(gmq.write("2", &format!("b={n}")), 204);
        std::thread::sleep(Duration::from_millis(1100));
    }
    let reply = gmq.post("/provision/activate", &[], "vendor=p&model=p&sn=3");
    assert_eq!(reply.status, 204, "no CIK yet");
    let status = gmq.status();
    assert_eq!((status["queued"].as_u64(), status["link"].as_bool()), (Some(6), Some(false)), "{status}");
    gmq.kill();
    gmq.run();
    murano.clear_faults();
    gmq.drained(LIMIT);
    let a = points(&murano, "1", "a");
    assert_eq!(a.iter().map(|p| p.1.as_str()).collect::<Vec<_>>(), ["before", "0", "1", "2"]);
    for (point, time) in a[1..].iter().zip(&times) {
        assert!((point.0 - time).abs() <= 1.0 && point.2 == "record", "{point:?} {time}");
    }
    assert_eq!(points(&murano, "2", "b").len(), 3);
    wait_until("the third device is provisioned by itself", LIMIT, || {
        gmq.post("/provision/activate", &[], "vendor=p&model=p&sn=3").status == 200
    });
    assert_eq!(gmq.write("1", "a=after"), 204);
    assert_eq!(points(&murano, "1", "a").last().unwrap().2, "write");
}

#[test]
fn an_app_does_not_wait_for_a_platform_that_hangs() {
    let (murano, gmq) = parts();
    assert_eq!(gmq.write("1", "a=1"), 204);
    murano.faults(&["any:stall=0,300"]);
    let begun = Instant::now();
    assert_eq!(gmq.write("1", "a=2"), 204);
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(gmq.write("1", "a=3"), 204);
    assert!(begun.elapsed() < Duration::from_secs(1), "it is known to hang: {:?}", begun.elapsed());
}

#[test]
fn a_400_is_set_aside_shown_and_can_be_queued_again_or_discarded() {
    let (murano, gmq) = parts();
    assert_eq!(gmq.write("1", "a=1"), 204);
    murano.faults(&["write:status=400*1", "record:status=400*1"]);
    let reply = gmq.post("/onep:v1/stack/alias", &[("X-Exosite-VMS", "p p 1")], "a=bad&b=worse");
    assert!(reply.status == 400 && reply.text().contains("400"), "{}", reply.text());
    assert_eq!(gmq.record("1", "r", "1700000000=x%0Ay"), 204);
    gmq.drained(LIMIT);
    let status = gmq.status();
    assert_eq!((status["set_aside"].as_u64(), status["forwarded"].as_u64()), (Some(3), Some(1)), "{status}");
    let list = gmq.gmq(&["set-aside", "list"]).ok().stdout;
    assert!(list.contains("p p 1: r 1700000000=x%0Ay") && list.contains("answered 400"), "{list}");
    let entries: serde_json::Value =
        serde_json::from_str(&gmq.gmq(&["set-aside", "list", "--json"]).ok().stdout).unwrap();
    let id = |alias: &str| {
        let entry = entries.as_array().unwrap().iter().find(|e| e["alias"] == alias).unwrap();
        entry["id"].as_str().unwrap().to_string()
    };
    gmq.gmq(&["set-aside", "requeue", &id("r")]).ok();
    gmq.gmq(&["set-aside", "discard", &id("a")]).ok();
    gmq.drained(LIMIT);
    assert_eq!(points(&murano, "1", "r")[0], (1_700_000_000.0, "x\ny".to_string(), "record".to_string()));
    assert_eq!(murano.history("1", "a"), ["1"]);
    assert_eq!(gmq.count("set_aside"), 1);
    assert!(gmq
        .gmq(&["set-aside", "discard", "00000000"])
        .exited(1)
        .stderr
        .contains("nothing is set aside as 00000000"));
    gmq.gmq(&["set-aside", "requeue", "all"]).ok();
    gmq.drained(LIMIT);
    assert_eq!((gmq.count("set_aside"), murano.history("1", "b").len()), (0, 1));
    gmq.gmq(&["set-aside", "discard"]).exited(2);
}

#[test]
fn a_server_that_answers_404_to_everything_costs_no_data() {
    // A wrong URL, a page of the network's provider: nothing is set aside for that.
    let (murano, gmq) = parts();
    assert_eq!(gmq.write("1", "a=1"), 204);
    for status in [404, 403, 405] {
        murano.faults(&[&format!("any:status={status}*6")]);
        assert_eq!(gmq.record("1", "r", &format!("1700{status}000=x")), 204);
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(gmq.count("set_aside"), 0);
    assert_eq!(gmq.count("queued"), 3);
    let error = gmq.status()["devices"][0]["error"].as_str().unwrap_or_default().to_string();
    assert!(error.contains("the platform answered 40"), "{error}");
}

#[test]
fn points_of_one_second_all_arrive_in_order() {
    let (murano, gmq) = parts();
    let body: String = (0..40).map(|n| format!("{}={n}&", 1_700_000_000 + n / 10)).collect();
    assert_eq!(gmq.record("1", "fast", body.trim_end_matches('&')), 204);
    gmq.drained(LIMIT);
    assert_eq!(murano.history("1", "fast"), (0..40).map(|n| n.to_string()).collect::<Vec<_>>());
    // A series that is much faster for long does not take a request for each point.
    let body: String = (0..500).map(|n| format!("{}={n}&", 1_700_000_000 + n / 10)).collect();
    murano.forget_requests();
    assert_eq!(gmq.record("1", "faster", body.trim_end_matches('&')), 204);
    gmq.drained(LIMIT);
    assert!(murano.count(Endpoint::Record) <= 12, "{} requests", murano.count(Endpoint::Record));
    let mut values: Vec<usize> = murano.history("1", "faster").iter().map(|v| v.parse().unwrap()).collect();
    for second in 0..50 {
        let of_it: Vec<usize> = values.iter().copied().filter(|v| v / 10 == second).collect();
        assert!(of_it.windows(2).all(|w| w[0] < w[1]), "{of_it:?}");
    }
    values.sort_unstable();
    assert_eq!(values, (0..500).collect::<Vec<_>>());
    assert_eq!(gmq.count("set_aside"), 0);
}

#[test]
fn one_request_carries_many_points_of_many_aliases() {
    let murano = Murano::start();
    let gmq = Gmq::with(&murano.url(), "[unq]\nbatch_record_period = 2.0\nbatch_qty = 100\n");
    for n in 0..250 {
        let alias = ["a", "b", "c"][n % 3];
        assert_eq!(gmq.record("1", alias, &format!("{}={n}", 1_700_000_000 + n)), 204);
    }
    gmq.drained(LIMIT);
    let requests = murano.count(Endpoint::Record);
    assert!((3..=6).contains(&requests), "{requests} requests for 250 points");
    for (n, alias) in ["a", "b", "c"].iter().enumerate() {
        let expected: Vec<String> = (0..250).filter(|v| v % 3 == n).map(|v| v.to_string()).collect();
        assert_eq!(murano.history("1", alias), expected);
    }
}

#[test]
fn a_lost_reply_leads_to_the_same_point_twice_and_to_no_loss() {
    let (murano, gmq) = parts();
    assert_eq!(gmq.write("1", "a=1"), 204);
    murano.faults(&["record:lost-reply*1"]);
    assert_eq!(gmq.record("1", "r", "1700000000=x&1700000001=y"), 204);
    gmq.drained(LIMIT);
    let found = points(&murano, "1", "r");
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(found[..2], found[2..], "the same times, the same values");
}

#[test]
fn a_device_that_is_not_enabled_waits_alone() {
    let murano = Murano::with(|options| options.open = false);
    murano.server().platform().store.add_device("good").unwrap();
    let gmq = Gmq::start(&murano.url());
    assert_eq!(gmq.write("stranger", "a=1"), 204);
    assert_eq!(gmq.write("good", "a=1"), 204);
    assert_eq!(gmq.record("stranger", "r", "1700000000=x"), 204);
    assert_eq!(gmq.record("good", "r", "1700000000=x"), 204);
    wait_until("the other is served", LIMIT, || murano.history("good", "r").len() == 1);
    assert_eq!(murano.history("good", "a"), ["1"]);
    wait_until("what was served is out of the queue", LIMIT, || gmq.count("queued") == 2);
    let status = gmq.gmq(&["status"]).ok().stdout;
    assert!(status.contains("stranger: 2 queued, not activated") && status.contains("404"), "{status}");
}

#[test]
fn a_rate_limit_delays_and_loses_nothing() {
    let murano = Murano::with(|options| options.rate_limit = true);
    let gmq = Gmq::start(&murano.url());
    for n in 0..10 {
        assert_eq!(gmq.write("1", &format!("a={n}")), 204);
    }
    gmq.drained(LIMIT);
    let values = murano.history("1", "a");
    assert_eq!(values, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn every_request_is_accounted() {
    let (murano, gmq) = parts();
    assert_eq!(gmq.write("1", "a=1"), 204);
    assert_eq!(murano.history("1", "a"), ["1"]);
    let usage = gmq.gateway().root().path("run/gwe");
    let mut text = String::new();
    for entry in std::fs::read_dir(usage).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.file_name().unwrap().to_string_lossy().starts_with("usage") {
            text += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
        }
    }
    assert!(text.contains("gmq"), "{text}");
}
