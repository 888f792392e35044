//! `gwe` at work, from outside: refusing to run unconfigured, the serial number of the first start, settings that change while
//! the engine runs, and what `--status` tells of it all.

use gwe_tests::harness::{wait_until, Background, Gateway, Murano, Scripted, Site, Tarball};
use gwe_tests::murano::endpoint::Endpoint;
use gwe_tests::skip;
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

/// Long enough for a check-in on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway that knows the server and its serial number.
fn gateway_of(murano: &Murano) -> Gateway {
    let gateway = Gateway::configured(&murano.url(), "sn-1");
    gateway.gwe(&["--set-update-interval", "1"]).ok();
    gateway
}

fn status(gateway: &Gateway) -> Value {
    let text = gateway.gwe(&["--status", "--json"]).ok().stdout;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A network interface of this machine with a MAC, and the MAC as a serial number.
fn interface() -> Option<(String, String)> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let macs = entries.filter_map(|entry| {
        let mac = fs::read_to_string(entry.path().join("address")).ok()?.trim().to_uppercase();
        (mac.len() == 17 && mac != "00:00:00:00:00:00").then(|| (entry.file_name().into_string().unwrap(), mac))
    });
    macs.into_iter().next()
}

#[test]
fn it_refuses_to_run_unconfigured_and_says_which_command_sets_what_is_missing() {
    for (settings, told) in [
        (&[][..], "CRITICAL this gateway has no product id; set it with: gwe --set-product-id <PRODUCT_ID>\n"),
        (
            &["--set-product-id", "p"],
            "CRITICAL this gateway has no serial number; set one with: gwe --set-uuid <SERIAL>, or take a MAC with: gwe --set-iface <INTERFACE>\n",
        ),
        (
            &["--set-product-id", "p", "--set-iface", "nosuch0"],
            "CRITICAL interface nosuch0 has no MAC to serve as serial number; choose another with: gwe --set-iface <INTERFACE>, or set one with: gwe --set-uuid <SERIAL>\n",
        ),
    ] {
        let gateway = Gateway::new();
        if !settings.is_empty() {
            gateway.gwe(settings).ok();
        }
        for arguments in [&[][..], &["--once"]] {
            let ran = gateway.gwe(arguments).exited(255);
            assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", told), "{}", ran.report());
            assert!(ran.took < Duration::from_secs(5), "{}", ran.report());
        }
        let to_do = status(&gateway)["problem"].as_str().unwrap().to_string();
        assert_eq!(format!("CRITICAL {to_do}\n"), told);
        assert!(gateway.gwe(&["--status"]).ok().stdout.contains(&format!("\n  to do           {to_do}\n")));
    }
}

#[test]
fn the_serial_number_comes_from_the_mac_and_is_kept_from_the_first_start_on() {
    let Some((iface, mac)) = interface() else { skip!("needs a network interface with a MAC") };
    let murano = Murano::start();
    for first_start in [&["--once"][..], &[]] {
        let gateway = Gateway::new();
        gateway.gwe(&["--set-server", &murano.url(), "--set-product-id", "p", "--set-iface", &iface, "-t", "1"]).ok();
        assert_eq!(status(&gateway)["serial"], Value::from(mac.as_str()), "it is known before");
        murano.forget_requests();
        let mut engine = gateway.start("gwe", first_start);
        wait_until("a check-in", PATIENCE, || murano.count(Endpoint::Hybrid) > 0);
        assert!(gateway.gwe(&["-g"]).ok().stdout.contains(&format!("\nuuid = {mac}\n")));
        // Another network card does not make another gateway of it.
        gateway.gwe(&["--set-iface", "nosuch0"]).ok();
        assert_eq!(status(&gateway)["serial"], Value::from(mac.as_str()));
        engine.signal(libc::SIGTERM);
        assert!(engine.wait(PATIENCE).is_some_and(|status| status.success()), "{}", engine.log());
        murano.server().platform().store.enable_device(&mac).unwrap();
    }
    assert!(murano.state()["data"][&mac]["device_info"].is_array());
}

#[test]
fn one_check_in_ends_with_0_or_1() {
    let murano = Murano::start();
    let gateway = gateway_of(&murano);
    let ran = gateway.gwe(&["--once"]).ok();
    assert_eq!(ran.stdout, "", "a check-in has no data to print");
    let last = &status(&gateway)["last_check_in"];
    assert_eq!((&last["ok"], &last["message"]), (&Value::from(true), &Value::from("completed")));
    murano.faults(&["any:refuse"]);
    let ran = gateway.gwe(&["--once"]).exited(1);
    assert!(ran.stderr.contains("ERROR    check-in failed: "), "{}", ran.report());
    assert_eq!(status(&gateway)["last_check_in"]["ok"], Value::from(false));
    let shown = gateway.gwe(&["--status"]).ok().stdout;
    assert!(shown.contains("\n  last check-in   20") && shown.contains(" UTC: failed: "), "{shown}");
}

#[test]
fn a_setting_takes_effect_at_the_next_check_in_of_the_running_engine() {
    let (old, new) = (Murano::start(), Murano::start());
    let gateway = gateway_of(&old);
    let mut engine = gateway.start("gwe", &[]);
    wait_until("check-ins", PATIENCE, || old.count(Endpoint::Hybrid) >= 2);
    // The CIK is the old server's: the new one gives its own.
    gateway.gwe(&["--set-server", &new.url()]).ok();
    wait_until("a check-in at the new server", PATIENCE, || new.count(Endpoint::Hybrid) >= 2);
    old.forget_requests();
    gateway.gwe(&["--set-update-interval", "3600"]).ok();
    wait_until("silence", PATIENCE, || {
        new.forget_requests();
        std::thread::sleep(Duration::from_secs(3));
        new.count(Endpoint::Hybrid) == 0
    });
    assert_eq!(old.count(Endpoint::Hybrid), 0);
    // A level, too; and SIGHUP is a check-in now.
    gateway.gwe(&["-d", "DEBUG"]).ok();
    hurry(&mut engine, &new);
    wait_until("the debug log", PATIENCE, || engine.log().contains("DEBUG    check-in completed"));
    assert!(engine.stop().success());
}

fn hurry(engine: &mut Background, murano: &Murano) {
    murano.forget_requests();
    engine.signal(libc::SIGHUP);
    wait_until("the check-in that was asked for", PATIENCE, || murano.count(Endpoint::Hybrid) > 0);
}

#[test]
fn setting_before_the_first_start_counts() {
    let murano = Murano::start();
    let gateway = gateway_of(&murano);
    // The platform's answer to a write of the alias wins over what was set.
    murano.write("sn-1", "update_interval", "7");
    gateway.gwe(&["--once"]).ok();
    assert!(gateway.gwe(&["-e"]).ok().stdout.contains("\nupdate_interval = 7\n"));
    assert_eq!(status(&gateway)["update_interval"], Value::from(7));
}

#[test]
fn the_status_shows_identity_pending_installs_apps_and_keys() {
    let murano = Murano::start();
    let gateway = gateway_of(&murano);
    gateway.gwe(&["--once"]).ok();
    let cik = gateway.gwe(&["-C"]).ok().stdout.trim().to_string();

    let folder = gateway.root().path("tarballs");
    fs::create_dir(&folder).unwrap();
    let tool = Tarball::app("echo done").save(folder.join("tool.v1.2.3.tar.gz"));
    gateway.gwe(&["-I", tool.to_str().unwrap()]).ok();
    let large: Vec<u8> = (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    murano.upload("big.v2.tar.gz", &Tarball::app("true").file("data", 0o644, large).bytes());
    murano.write("sn-1", "engine_fetch", r#"{"install": [{"name": "big.v2.tar.gz"}]}"#);
    murano.faults(&["download:drop=50%"]);
    gateway.gwe(&["--once"]).exited(1);
    gateway.root().write("etc/gwe/trusted/notes.txt", "no key");

    let json = status(&gateway);
    for (key, value) in [
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("resident", Value::from("image")),
        ("vendor", Value::from("p")),
        ("model", Value::from("p")),
        ("serial", Value::from("sn-1")),
        ("server", Value::from(murano.url())),
        ("activated", Value::from(true)),
        ("cik", Value::from(format!("{}{}", &cik[..8], "*".repeat(32)))),
        ("problem", Value::Null),
        ("signatures", Value::from("no package is accepted: no trusted key can be used")),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    assert!(json["trusted_keys"][0].as_str().unwrap().contains("notes.txt: is no *.pub"), "{json}");
    let pending = &json["pending"][0];
    assert_eq!((&pending["tarball"], &pending["state"]), (&Value::from("big.v2.tar.gz"), &Value::from("downloading")));
    assert!(pending["received"].as_u64() > Some(0) && pending["received"].as_u64() < pending["size"].as_u64());
    let apps = json["apps"].as_array().unwrap();
    let app = apps.iter().find(|app| app["name"] == "tool").unwrap();
    assert_eq!((&app["version"], &app["status"]), (&Value::from("1.2.3"), &Value::from("INSTALLED")));

    let text = gateway.gwe(&["--status"]).ok().stdout;
    for part in [
        "\n  product id      p\n",
        "\n  serial number   sn-1\n",
        "\n  packages        no package is accepted",
        "\n  trusted key     unusable: ",
        "\nPending installs\n  big.v2.tar.gz  downloading  ",
        "\nApps\n  NAME  VERSION  STATUS     PID  UPTIME  MEMORY\n",
        "\n  tool  1.2.3    INSTALLED  -    -       -\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    fs::remove_dir_all(gateway.root().path("etc/gwe/trusted")).unwrap();
    assert_eq!(status(&gateway)["signatures"], Value::from("unsigned packages accepted"));
    assert!(gateway.gwe(&["--status"]).ok().stdout.contains("\n  packages        unsigned packages accepted\n"));
}

#[test]
fn the_status_is_there_while_the_engine_works() {
    let murano = Murano::start();
    let gateway = gateway_of(&murano);
    murano.faults(&["hybrid:stall=0,20"]);
    let mut engine = gateway.start("gwe", &[]);
    wait_until("the activation", PATIENCE, || murano.count(Endpoint::Activate) > 0);
    let start = Instant::now();
    gateway.gwe(&["--status"]).ok();
    gateway.gwe(&["--set-user-agent", "x"]).ok();
    assert!(start.elapsed() < Duration::from_secs(5), "nobody waits for a check-in that hangs");
    assert!(engine.stop().success());
}

#[test]
fn what_a_server_says_does_not_speak_to_the_terminal_of_whoever_looks() {
    // A captive portal may name any target; the cloud may order any name.
    let portal = Scripted::answering(
        "HTTP/1.1 302 Found\r\nLocation: http://a/\x1b]0;b\x07\x1b[2J\r\nContent-Length: 0\r\n\r\n",
    );
    let gateway = Gateway::configured(&portal.url(), "sn-1");
    gateway.gwe(&["--once"]).exited(1);
    let ran = gateway.gwe(&["--status"]).ok();
    assert!(ran.stdout.contains("to go to 'http://a/"), "{}", ran.report());
    assert!(ran.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", ran.stdout);
    let murano = Murano::start();
    let gateway = gateway_of(&murano);
    gateway.gwe(&["--once"]).ok();
    // Journaled, and not yet worked on.
    murano.write(
        "sn-1",
        "engine_fetch",
        r#"{"install": [{"name": "a\u001b[2J\nb.v1.tar.gz"}, {"name": "app.v1.tar.gz"}]}"#,
    );
    murano.faults(&["hybrid:drop=body+0*1", "write:drop=body+0*1"]);
    gateway.gwe(&["--once"]);
    let ran = gateway.gwe(&["--status"]).ok();
    assert!(ran.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", ran.stdout);
}

/// hawkBit has no push: any other line that a gateway has wakes the engine by this command, whatever the timer says.
#[test]
fn supervisorctl_signal_hup_gwe_is_a_check_in_now() {
    let mut site = Site::new();
    site.set("engine", "update_interval", "3600");
    site.bring_programs();
    let gwe = site.gateway.root().path("usr/bin/gwe");
    let environment =
        "environment = GWE_ROOT=\"{root}\"\nredirect_stderr = true\nstdout_logfile = {root}/var/log/gwe.log";
    if !site.host_with(&format!("[program:gwe]\ncommand = {}\n{environment}\n", gwe.display())) {
        return;
    }
    wait_until("the first check-in", PATIENCE, || site.murano.count(Endpoint::Hybrid) > 0);
    let pid = site.pid("gwe");
    for _ in 0..2 {
        site.murano.forget_requests();
        let ran = site.supervisord.as_ref().expect("it was started").ctl(&["signal", "HUP", "gwe"]).ok();
        assert_eq!(ran.stdout, "gwe: signalled\n");
        wait_until("the check-in that was asked for", PATIENCE, || site.murano.count(Endpoint::Hybrid) > 0);
    }
    assert_eq!(site.pid("gwe"), pid, "it is the same process");
}
