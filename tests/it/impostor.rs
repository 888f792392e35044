//! Something on the way answers in the platform's place: a network's login gateway that says 204 to everything, a balancer whose 200
//! carries `{"error": …}`. None of that is an acknowledgement, for any client (docs/spec/failures.md, "Doubtful inputs").

use gwe_tests::harness::{run, wait_until, Gateway, Gmq, Guest, Murano, Ran, Scripted, Site, Tarball, PATIENCE, SN};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ANSWERS: [&str; 4] = [
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"error\": \"not authorized\"}",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK\n",
];

/// A proxy before a platform, in whose place it answers now and then.
struct Way {
    proxy: Scripted,
    lie: Arc<Mutex<Lie>>,
}

/// From the first request on that holds these words, everything is answered so.
#[derive(Default)]
struct Lie {
    words: Option<&'static str>,
    answer: &'static str,
    has_begun: bool,
    told: usize,
}

impl Way {
    fn to(platform: &str) -> Way {
        let there = platform.trim_start_matches("http://").to_string();
        let lie = Arc::new(Mutex::new(Lie::default()));
        let proxy = Scripted::start({
            let lie = lie.clone();
            move |guest: &mut Guest| {
                guest.say(b"HTTP/1.1 200 Connection established\r\n\r\n");
                guest.read_request();
                let answer = {
                    let mut lie = lie.lock().unwrap();
                    lie.has_begun |= lie.words.is_some_and(|words| guest.request.contains(words));
                    lie.told += usize::from(lie.has_begun);
                    lie.has_begun.then_some(lie.answer)
                };
                match answer {
                    Some(answer) => guest.say(answer.as_bytes()),
                    None => {
                        let mut platform = TcpStream::connect(&there).unwrap();
                        platform.write_all(guest.request.as_bytes()).unwrap();
                        let mut head = Vec::new();
                        // murano keeps connections: what it says is passed on as it comes, until the client goes.
                        let mut part = [0; 4096];
                        while let Ok(count @ 1..) = platform.read(&mut part) {
                            head.extend_from_slice(&part[..count]);
                            guest.say(&part[..count]);
                            if !guest.is_there() {
                                break;
                            }
                        }
                    }
                }
            }
        });
        Way { proxy, lie }
    }

    fn lies_from(&self, words: &'static str, answer: &'static str) {
        *self.lie.lock().unwrap() = Lie { words: Some(words), answer, ..Lie::default() };
    }

    fn is_honest(&self) {
        *self.lie.lock().unwrap() = Lie::default();
    }

    fn has_lied(&self) -> bool {
        self.lie.lock().unwrap().has_begun
    }

    /// The second lie is for the proof of the first one, or for another try: what was lied about first is judged by then, or will be by a lie.
    fn has_lied_twice(&self) -> bool {
        self.lie.lock().unwrap().told >= 2
    }

    fn check_in(&self, site: &Site) -> Ran {
        run(site.gateway.command("gwe").arg("--once").env("http_proxy", self.proxy.url()), PATIENCE)
    }
}

#[test]
fn gdc_takes_no_impostor_for_the_platform() {
    let cik = "0123456789abcdef0123456789abcdef01234567";
    for answer in ANSWERS {
        let impostor = Way::to("127.0.0.1:9");
        impostor.lies_from("", answer);
        for line in ["write CIK a 1", "record CIK a 1700000000=1", "read CIK a", "activate p p s", "timestamp"] {
            let gateway = Gateway::new();
            let mut command = gateway.command("gdc");
            command.args(line.split(' ').map(|word| if word == "CIK" { cik } else { word }));
            command.args(["--server", "http://platform.test"]).env("http_proxy", impostor.proxy.url());
            let ran = run(&mut command, Duration::from_secs(30)).exited(1);
            assert!(
                ran.stdout.is_empty() && ran.stderr.contains("makes no sense"),
                "{line}, {answer:?}: {}",
                ran.report()
            );
        }
    }
}

#[test]
fn without_anybody_on_the_way_a_bare_success_needs_no_proof() {
    // What the proof costs, one request, is paid only where it tells something.
    let murano = Murano::start();
    let cik = murano.activate("1");
    let gateway = Gateway::new();
    murano.forget_requests();
    gateway.gdc(&["write", &cik, "a", "1", "--server", &murano.url()]).ok();
    assert_eq!(murano.requests()["totals"]["requests"], 1);
    let way = Way::to(&murano.url());
    let mut command = gateway.command("gdc");
    command.args(["write", &cik, "a", "2", "--server", &murano.url()]).env("http_proxy", way.proxy.url());
    run(&mut command, PATIENCE).ok();
    assert_eq!((murano.history("1", "a").len(), way.proxy.requests().len()), (2, 2), "the write, and the time");
}

#[test]
fn a_check_in_takes_no_impostor_for_the_platform() {
    for answer in ANSWERS {
        let site = Site::new();
        let way = Way::to(&site.murano.url());
        // Activation.
        way.lies_from("/provision/activate", answer);
        assert_ne!(way.check_in(&site).code, Some(0), "{answer:?}");
        assert!(!site.gateway.gwe(&["--gateway-cik"]).stdout.contains("not authorized"));
        way.is_honest();
        way.check_in(&site).ok();
        // The exchange, the clearing of the alias, and the report of the end.
        for (round, words) in
            ["engine_fetch&update_interval", "\r\n\r\nengine_fetch=", "fetch_status="].into_iter().enumerate()
        {
            let name = format!("app{round}.v1.tar.gz");
            let line = format!("[gwe] installed app{round} v1 in N s\n");
            site.deploy(&name, &Tarball::app(&format!("echo {round} >> $GWE_ROOT/marks")));
            way.lies_from(words, answer);
            let lied = way.check_in(&site);
            assert!(way.has_lied(), "{words}, {answer:?}: {}", lied.report());
            assert!(!site.reports().concat().contains(&line), "{words}, {answer:?}: nothing reached the platform");
            way.is_honest();
            way.check_in(&site).ok();
            way.check_in(&site).ok();
            let reports = site.reports().concat();
            assert_eq!(reports.matches(&line).count(), 1, "{words}, {answer:?}: {reports}\n{}", lied.report());
            assert_eq!(site.murano.read(SN, "engine_fetch"), None, "{words}, {answer:?}: cleared");
        }
        assert_eq!(site.gateway.root().read("marks"), "0\n1\n2\n", "{answer:?}: each once");
    }
}

#[test]
fn gmq_forwards_nothing_to_an_impostor() {
    for answer in ANSWERS {
        let murano = Murano::start();
        let way = Way::to(&murano.url());
        let mut gmq = Gmq::not_running(&murano.url(), "[unq]\nbatch_record_period = 0.2\n");
        gmq.environment(&[("http_proxy", &way.proxy.url())]);
        gmq.run();
        for (alias, words) in
            [("activated", "/provision/activate"), ("recorded", "stack/record"), ("written", "stack/alias")]
        {
            way.lies_from(words, answer);
            let taken = match alias {
                "written" => gmq.write("1", "written=1"),
                _ => gmq.record("1", alias, "1700000000=1"),
            };
            assert_eq!(taken, 204, "{alias}, {answer:?}");
            wait_until("the impostor was asked, and asked again", PATIENCE, || way.has_lied_twice());
            assert_eq!(gmq.count("queued"), 1, "{alias}, {answer:?}: {}", gmq.log());
            way.is_honest();
            gmq.drained(PATIENCE);
            assert_eq!(murano.history("1", alias), ["1"], "{alias}, {answer:?}");
        }
    }
}
