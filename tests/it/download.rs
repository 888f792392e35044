//! Downloads over links and servers as they are: truncated, broken off again and again, silent, refused for good
//! (docs/spec/failures.md, rows 1, 4 and 5).

use gwe_tests::harness::{noise, run, wait_until, Guest, Murano, Scripted, Site, Tarball, PATIENCE, SN};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// An app of so many bytes that proves to be whole.
fn large_app(length: usize) -> Tarball {
    let check = format!("[ $(wc -c < noise) = {length} ] && cksum noise > $GWE_ROOT/cksum");
    Tarball::app(&check).file("noise", 0o644, noise(length))
}

/// So many bytes were sent in answers.
fn sent(murano: &Murano) -> u64 {
    murano.requests()["totals"]["response_bytes"].as_u64().unwrap()
}

/// The tarball of a request that every truncation test uses, and what it does when it runs.
const ORDER: &str = r#"{"install": [{"name": "app.v1.tar.gz"}]}"#;

#[test]
fn an_order_truncated_at_any_byte_is_neither_taken_nor_acknowledged() {
    // psf/requests#4956; minreq: a cut body comes back as success.
    let site = Site::new();
    site.check_in().ok();
    site.murano.write(SN, "engine_fetch", ORDER);
    site.murano.write(SN, "update_interval", "77");
    // How long a whole answer is, with the order in it.
    site.murano.faults(&["write:status=500"]);
    site.murano.forget_requests();
    let mut probe = site.check_in();
    assert_eq!(probe.code, Some(1), "{}", probe.report());
    let log = site.murano.requests();
    let hybrid = log["log"].as_array().unwrap().iter().find(|entry| entry["endpoint"] == "hybrid").unwrap().clone();
    let length = hybrid["response_bytes"].as_u64().unwrap();
    fs::remove_dir_all(site.gateway.root().path("var/lib/gwe/install")).unwrap();
    site.gateway.gwe(&["--set-update-interval", "5"]).ok();
    for ending in ["rst", "fin"] {
        for at in 0..length {
            site.murano.faults(&[&format!("hybrid:drop={at},{ending}"), "write:status=500"]);
            probe = site.check_in();
            assert_eq!(probe.code, Some(1), "cut at {at} of {length}: {}", probe.report());
            assert!(!site.gateway.root().has("var/lib/gwe/install/journal.json"), "cut at {at}: the order is taken");
        }
    }
    let interval = site.gateway.gwe(&["--engine-conf"]).ok().stdout;
    assert!(interval.contains("update_interval = 5\n"), "{interval}");
    assert_eq!(site.murano.read(SN, "engine_fetch").as_deref(), Some(ORDER), "never acknowledged");
    assert_eq!(site.murano.count(Endpoint::Write), 1, "nothing was written but by the probe");
    site.murano.clear_faults();
    site.upload("app.v1.tar.gz", &Tarball::app("true"));
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
}

#[test]
fn what_is_known_of_a_content_is_never_read_from_a_truncated_answer() {
    let site = Site::new();
    site.upload("app.v1.tar.gz", &large_app(100_000));
    site.murano.faults(&["any:pass"]);
    let size = large_app(100_000).bytes().len();
    // The answer to `info=true` is some 200 bytes; each further one is cut one byte later.
    for at in 0..260 {
        if site.murano.read(SN, "engine_fetch").is_none() && !pending(&site) {
            site.murano.clear_faults();
            site.order(&["app.v1.tar.gz"]);
        }
        let truncation = format!("info:drop={at},fin*1");
        site.murano.faults(&[&truncation, "download:status=503"]);
        site.check_in();
        let journal =
            fs::read_to_string(site.gateway.root().path("var/lib/gwe/install/journal.json")).unwrap_or_default();
        assert!(
            !journal.contains(r#""content":{"#) || journal.contains(&format!(r#""size":{size}"#)),
            "{at}: {journal}"
        );
        if journal.contains(r#""content":{"#) {
            // The answer was whole: the cut lies behind its end.
            assert!(at > 100, "{at}");
            return;
        }
    }
    panic!("no answer was ever whole");
}

/// Whether an install is pending.
fn pending(site: &Site) -> bool {
    site.gateway.root().has("var/lib/gwe/install/journal.json")
}

#[test]
fn a_tarball_truncated_anywhere_is_never_installed_as_it_is() {
    // psf/requests#4956. A part is gone on with, and only the whole is installed. Every 7th byte: each costs some seconds of waiting;
    // every single one is cut in the tests of the transport.
    let tarball = Arc::new(large_app(100));
    let length = tarball.bytes().len() + 250;
    let tries: Vec<usize> = (0..length).step_by(7).collect();
    let per_worker = tries.len().div_ceil(8);
    let workers: Vec<_> = tries
        .chunks(per_worker)
        .map(|chunk| {
            let (chunk, tarball) = (chunk.to_vec(), tarball.clone());
            thread::spawn(move || {
                let site = Site::new();
                site.upload("app.v1.tar.gz", &tarball);
                // Three cuts in a row, then a whole answer.
                for cuts in chunk.chunks(3) {
                    let faults: Vec<String> = cuts
                        .iter()
                        .map(|at| format!("download:drop={at},{}*1", if at % 2 == 0 { "fin" } else { "rst" }))
                        .collect();
                    site.murano.faults(&faults.iter().map(String::as_str).collect::<Vec<_>>());
                    let _ = fs::remove_file(site.gateway.root().path("cksum"));
                    site.order(&["app.v1.tar.gz"]);
                    let ran = site.check_in();
                    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n", "{cuts:?}\n{}", ran.report());
                    assert!(site.gateway.root().read("cksum").ends_with(" 100 noise\n"), "{cuts:?}");
                    assert!(
                        ran.stderr.contains("of the request") || !ran.stderr.contains("anew"),
                        "{cuts:?}: {}",
                        ran.stderr
                    );
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("see above");
    }
}

#[test]
fn thirty_disconnects_and_a_restart_cost_five_percent_of_the_bytes() {
    // rauc#1517: fails at 80 % after an hour, and starts over.
    let site = Site::new();
    site.check_in().ok();
    let tarball = large_app(3_000_000);
    let size = tarball.bytes().len() as u64;
    site.deploy("app.v1.tar.gz", &tarball);
    site.murano.faults(&["download:drop=body+95000*15"]);
    site.murano.forget_requests();
    let mut check_in = site.gateway.start("gwe", &["--once"]);
    wait_until("fifteen disconnects", PATIENCE, || site.murano.count(Endpoint::Download) >= 15);
    check_in.kill();
    // Half-way, and the power is cut.
    site.murano.faults(&["download:drop=body+95000,fin*15"]);
    let ran = run(site.gateway.command("gwe").arg("--once"), 2 * PATIENCE).ok();
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n", "{}", ran.report());
    assert!(site.gateway.root().has("cksum"));
    let sent = sent(&site.murano);
    println!(
        "a tarball of {size} bytes, 30 disconnects and a restart: {sent} bytes, {:.3} times",
        sent as f64 / size as f64
    );
    assert!(site.murano.count(Endpoint::Download) >= 31);
    assert!(sent as f64 <= 1.05 * size as f64, "{sent} bytes for {size}");
}

#[test]
fn a_server_that_ignores_or_moves_ranges_never_makes_a_wrong_file() {
    for fault in ["range-ignored", "range-200", "range-shifted=+3", "range-shifted=-3"] {
        let site = Site::new();
        site.upload("app.v1.tar.gz", &large_app(60_000));
        site.order(&["app.v1.tar.gz"]);
        site.murano.faults(&["download:drop=body+20000,fin*1", &format!("download:{fault}*1")]);
        site.check_in();
        assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n", "{fault}");
        assert!(site.gateway.root().read("cksum").ends_with(" 60000 noise\n"), "{fault}");
    }
}

#[test]
fn a_stall_is_noticed_within_a_minute() {
    // rauc#1517. In the middle of a download, and in the middle of a check-in, side by side.
    let stalled = |fault: &'static str| {
        thread::spawn(move || {
            let site = Site::new();
            site.check_in().ok();
            site.deploy("app.v1.tar.gz", &large_app(200_000));
            site.murano.faults(&[fault]);
            let begun = Instant::now();
            let ran = run(site.gateway.command("gwe").arg("--once"), 3 * PATIENCE);
            assert!(ran.stderr.contains("was silent for"), "{fault}: {}", ran.report());
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(70), "{fault}: {took:?}");
            site.murano.clear_faults();
            site.check_in().ok();
            assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n", "{fault}");
        })
    };
    let stages =
        ["download:stall=body+50000,300*1", "hybrid:stall=0,300*1", "hybrid:stall=body+3,300*1", "info:stall=20,300*1"];
    for stage in stages.map(stalled) {
        stage.join().expect("see above");
    }
}

#[test]
fn a_permanent_refusal_ends_the_attempt_and_is_reported() {
    // rauc-hawkbit-updater#158, #223: a 4xx that is retried for ever.
    let site = Site::new();
    site.check_in().ok();
    site.upload("app.v1.tar.gz", &Tarball::app("true"));
    for (fault, requests) in [
        ("info:status=400", (1, 0)),
        ("info:status=403", (1, 0)),
        ("info:status=404", (1, 0)),
        ("info:status=410", (1, 0)),
        ("download:status=403", (1, 1)),
        ("download:status=404", (1, 1)),
        ("download:status=451", (1, 1)),
    ] {
        site.order(&["app.v1.tar.gz"]);
        site.murano.faults(&[fault]);
        site.murano.forget_requests();
        site.check_in().ok();
        let status = site.fetch_status();
        let code = fault.rsplit('=').next().unwrap();
        assert!(
            status.starts_with("[gwe] failed app v1: ") && status.contains(&format!("answered {code}")),
            "{status}"
        );
        assert_eq!((site.murano.count(Endpoint::Info), site.murano.count(Endpoint::Download)), requests, "{fault}");
        site.check_in().ok();
        assert_eq!(
            (site.murano.count(Endpoint::Info), site.murano.count(Endpoint::Download)),
            requests,
            "{fault}: again"
        );
        assert!(!pending(&site), "{fault}");
    }
}

#[test]
fn a_server_in_trouble_is_asked_again_but_not_for_ever() {
    let site = Site::new();
    site.check_in().ok();
    site.deploy("app.v1.tar.gz", &Tarball::app("true"));
    site.murano.faults(&["info:status=503"]);
    for _ in 0..3 {
        let ran = site.check_in().exited(1);
        assert!(ran.stderr.contains("app.v1.tar.gz is still to be downloaded"), "{}", ran.stderr);
    }
    site.murano.clear_faults();
    site.check_in().ok();
    assert_eq!(site.fetch_status(), "[gwe] installed app v1 in N s\n");
    // rauc-hawkbit-updater#223: it never gets better.
    site.order(&["app.v1.tar.gz"]);
    site.murano.faults(&["info:status=500"]);
    let mut check_ins = 0;
    while site.reports().len() < 2 {
        site.check_in();
        check_ins += 1;
        assert!(check_ins <= 20, "it is asked for ever");
    }
    assert!(
        site.fetch_status().starts_with("[gwe] failed app v1: gave up after 20 check-ins: "),
        "{}",
        site.fetch_status()
    );
}

#[test]
fn a_signature_that_never_comes_is_not_asked_for_for_ever() {
    let site = Site::new();
    site.check_in().ok();
    site.gateway.root().write("etc/gwe/trusted/k.pub", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n");
    site.deploy("app.v1.tar.gz", &Tarball::app("true"));
    site.murano.faults(&["download:pass*1", "download:status=500"]);
    let mut check_ins = 0;
    while site.fetch_status().is_empty() {
        site.check_in();
        check_ins += 1;
        assert!(check_ins <= 20, "it is asked for ever");
    }
    assert!(
        site.fetch_status().starts_with("[gwe] failed app v1: gave up after 20 check-ins: "),
        "{}",
        site.fetch_status()
    );
    assert_eq!(site.gateway.root().tree("var/lib/gwe/downloads").len(), 0, "nothing of it is left");
}

#[test]
fn the_bytes_of_an_attempt_are_budgeted() {
    // rauc-hawkbit-updater#158. A server that knows no ranges and breaks off at 90 %, again and again, content new each time.
    let tarball = large_app(1_500_000).bytes();
    let size = tarball.len();
    let served = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = served.clone();
    let ordered = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let server = Scripted::start(move |guest: &mut Guest| {
        use std::sync::atomic::Ordering::SeqCst;
        let request = guest.request.clone();
        let line = request.lines().next().unwrap_or_default();
        let whole =
            |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
        if line.contains("/provision/activate") {
            guest.say(&whole(&"a".repeat(40)));
        } else if line.contains("info=true") {
            guest.say(&whole(&format!("application/gzip,{size},{},", guest.number)));
        } else if line.contains("/provision/download") {
            guest.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes());
            guest.say(&tarball[..size * 9 / 10]);
            count.fetch_add(size * 9 / 10, SeqCst);
        } else if line.contains("alias?") && !ordered.swap(true, SeqCst) {
            guest.say(&whole("engine_fetch=%7B%22install%22%3A%5B%7B%22name%22%3A%22app.v1.tar.gz%22%7D%5D%7D"));
        } else {
            guest.say(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    let mut site = Site::new();
    site.set("engine", "server", &server.url());
    for _ in 0..3 {
        let ran = run(site.gateway.command("gwe").arg("--once"), PATIENCE);
        if !pending(&site) {
            break;
        }
        assert!(ran.code == Some(1), "{}", ran.report());
    }
    let report = server.requests().into_iter().find(|request| request.contains("fetch_status=")).expect("a report");
    assert!(report.contains("gave%20up%20after%20receiving"), "{report}");
    let served = served.load(std::sync::atomic::Ordering::SeqCst);
    assert!(served <= 4 * size + (2 << 20), "{served} bytes for {size}");
}

#[test]
fn a_newer_version_takes_the_place_of_one_that_is_on_its_way() {
    let site = Site::new();
    site.check_in().ok();
    site.deploy("app.v1.tar.gz", &large_app(500_000));
    site.murano.faults(&["download:drop=body+200000,fin*1", "download:refuse"]);
    site.check_in().exited(1);
    let downloads = || site.gateway.root().tree("var/lib/gwe/downloads");
    assert_eq!(downloads(), ["var/lib/gwe/downloads/app.v1.tar.gz.part"]);
    // The same order once more, by an impatient operator: the download goes on where it was.
    site.order(&["app.v1.tar.gz"]);
    site.murano.faults(&["download:refuse"]);
    site.check_in().exited(1);
    let part = fs::metadata(site.gateway.root().path("var/lib/gwe/downloads/app.v1.tar.gz.part")).unwrap().len();
    assert!(part > 100_000, "{part}");
    // Another version: the part is of no use any more.
    site.murano.clear_faults();
    assert_eq!(site.install("app.v2.tar.gz", &Tarball::app("true")), "[gwe] installed app v2 in N s\n");
    assert_eq!(downloads().len(), 0, "{:?}", downloads());
}
