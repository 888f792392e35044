//! Settings: who wrote a bad one is told wherever they look (docs/spec/failures.md, case 08; gagent#475), and no writer undoes what another
//! has set (A2).

use gwe_tests::harness::{run, Gateway, Site, PATIENCE, SN};
use gwe_tests::murano::endpoint::Endpoint;
use std::time::{Duration, Instant};

/// File, text, how the problem is told behind the file's path, and whether nothing may be sent before it is put right.
const BAD: [(&str, &str, &str, bool); 8] = [
    (
        "Engine.config",
        "[engine]\nserver = gw.example.com\n",
        ", line 2: server cannot be 'gw.example.com': it must be a URL",
        true,
    ),
    (
        "Engine.config",
        "[engine]\n\nupdate_interval = 1h\n",
        ", line 3: update_interval cannot be '1h': it must be a whole number",
        false,
    ),
    (
        "Engine.config",
        "[engine]\nkeep_clock = false\n",
        ", line 2: keep_clock cannot be 'false': it must be yes or no",
        false,
    ),
    ("Engine.config", "[engine\n", ": it is damaged (line 1: ", false),
    ("Gateway.cfg", "[device]\nuuid = AB 12 34\n", ", line 2: uuid cannot be 'AB 12 34': it must be one word", true),
    ("Gateway.cfg", "[device]\nvendor = https://p.m2.exosite.io\n", ", line 2: vendor cannot be 'https:", true),
    ("gmq.cfg", "[db]\nmax_bytes = 64MB\n", ", line 2: max_bytes cannot be '64MB': it must be bytes", false),
    ("logging.cfg", "[logger_root]\nlevel = LOUD\n", ", line 2: level cannot be 'LOUD': it must be DEBUG", false),
];

#[test]
fn a_bad_setting_is_told_at_check_in_in_the_status_and_by_check_config() {
    for (file, text, told, stops) in BAD {
        let site = Site::new();
        site.gateway.root().write(&format!("etc/gwe/{file}"), text);
        let (server, sn) = (site.murano.url(), SN);
        let state = match file {
            "Engine.config" if stops => "[engine]\n".to_string(),
            "Engine.config" => format!("[engine]\nserver = {server}\n"),
            _ => String::new(),
        };
        if file == "Engine.config" {
            site.gateway.root().write("var/lib/gwe/Engine.config", state);
        }
        if !text.contains("uuid") && file == "Gateway.cfg" {
            site.gateway.root().write("var/lib/gwe/Gateway.cfg", format!("[device]\nuuid = {sn}\n"));
        }
        let told = format!("{}{told}", site.gateway.root().path(&format!("etc/gwe/{file}")).display());
        let checked = site.gateway.gwe(&["--check-config"]).exited(1);
        assert!(checked.stdout.contains(&told), "{told}\n{}", checked.report());
        let status = site.gateway.gwe(&["--status"]).ok();
        assert!(status.stdout.contains(&format!("to put right    {told}")), "{told}\n{}", status.report());
        if file.starts_with(['g', 'l']) {
            continue;
        }
        let ran = site.check_in();
        assert!(ran.stderr.contains(&told), "{told}\n{}", ran.report());
        let requests = site.murano.requests()["totals"]["requests"].as_u64().unwrap();
        assert_eq!(requests == 0, stops, "{text}: {requests}\n{}", ran.report());
        assert_eq!(ran.code == Some(0), !stops, "{}", ran.report());
    }
}

#[test]
fn good_settings_pass() {
    let gateway = Gateway::configured("http://127.0.0.1:1", "sn-1");
    assert_eq!(gateway.gwe(&["--check-config"]).ok().stdout, "[PASS]\n");
}

#[test]
fn setters_activations_and_check_ins_undo_nothing_of_each_other() {
    hammer(Duration::from_secs(4));
}

#[test]
#[ignore = "make test-long"]
fn for_a_minute_setters_activations_and_check_ins_undo_nothing_of_each_other() {
    hammer(Duration::from_secs(60));
}

fn hammer(time: Duration) {
    let until = Instant::now() + time;
    let site = Site::new();
    site.check_in().ok();
    // Each writer has an option of its own, and remembers what it has set last.
    let setters = [
        ("--set-iface", "eth", "iface"),
        ("--set-user-agent", "agent-", "user_agent"),
        ("--set-act-retry-interval", "", "activation_retry_interval"),
    ];
    let set = |flag: &str, prefix: &str| {
        let mut last = String::new();
        for n in 1.. {
            if Instant::now() >= until {
                break;
            }
            last = format!("{prefix}{n}");
            run(site.gateway.command("gwe").args([flag, &last]), PATIENCE).ok();
        }
        last
    };
    let (last, intervals) = std::thread::scope(|scope| {
        let writers = setters.map(|(flag, prefix, key)| scope.spawn(move || (key, set(flag, prefix))));
        let mut interval = 1000;
        while Instant::now() < until {
            // A platform that no longer knows the key gives a new one, once; and it orders another interval.
            site.murano.server().platform().store.revoke_device(SN).unwrap();
            interval += 1;
            site.murano.write(SN, "update_interval", &interval.to_string());
            site.check_in().ok();
        }
        (writers.map(|writer| writer.join().unwrap()), interval)
    });
    let (gateway, engine) = (site.gateway.gwe(&["-g"]).ok().stdout, site.gateway.gwe(&["-e"]).ok().stdout);
    let wanted = last.into_iter().chain([("update_interval", intervals.to_string())]);
    for (key, value) in wanted {
        let line = format!("\n{key} = {value}\n");
        assert!(gateway.contains(&line) || engine.contains(&line), "{line}{gateway}{engine}");
    }
    site.murano.forget_requests();
    site.check_in().ok();
    assert_eq!(site.murano.count(Endpoint::Activate), 0, "the key is that of the last activation");
}
