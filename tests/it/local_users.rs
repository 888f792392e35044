//! What a local user without rights may not do (docs/spec/failures.md, A8, A9 and A12): take a lock, read a CIK, also by way of gmq, or fill
//! what gmq knows for ever. All of it is tried as user nobody.

use gwe_tests::harness::{run, Background, Gmq, Murano, Ran, Site};
use gwe_tests::skip;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Hundreds of records made durable one after the other, on a disk that others use, too.
const LIMIT: Duration = Duration::from_secs(240);
const NOBODY: u32 = 65534;

/// A shell's command as that user.
fn as_user(user: u32, script: &str, arguments: &[&str]) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args(arguments).uid(user).gid(user);
    command
}

pub fn may_become_nobody() -> bool {
    as_user(NOBODY, "exit 0", &[]).status().is_ok_and(|status| status.success())
}

/// Lets others into the test's own folders, as they are let into a gateway's.
fn open_up(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

const POST: &str = "exec 3<>/dev/tcp/127.0.0.1/$0; printf '%s' \"$1\" >&3; cat <&3";

/// What gmq answers to that user; one connection, closed by the server.
fn post(gmq: &Gmq, user: u32, target: &str, headers: &str, body: &str) -> String {
    use std::os::unix::process::CommandExt;
    let request =
        format!("POST {target} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut command = Command::new("bash");
    command.args(["-c", POST, &gmq.port().to_string(), &request]).uid(user).gid(user);
    run(&mut command, LIMIT).stdout
}

#[test]
fn nobody_takes_a_lock_or_reads_a_cik() {
    if !may_become_nobody() {
        skip!("needs root, to be another user");
    }
    let site = Site::new();
    open_up(site.gateway.root().root());
    site.check_in().ok();
    let mut gmq = Gmq::start(&site.murano.url());
    open_up(gmq.gateway().root().root());
    let cik = site.gateway.gwe(&["--gateway-cik"]).ok().stdout.trim().to_string();
    let state = site.gateway.root().path("var/lib/gwe");
    // Everything there is, as nobody finds it: what can be opened is not what anybody waits for, and holds no CIK.
    for root in [site.gateway.root().root(), gmq.gateway().root().root()] {
        let locks = [
            "var/lib/gwe",
            "var/lib/gwe/.settings.lock",
            "run/gwe/gmq.lock",
            "run/gwe/usage.lock",
            "var/lib/gwe/queue/set_aside.lock",
        ];
        for lock in locks.map(|lock| root.join(lock)).iter().filter(|lock| lock.exists()) {
            let ran = run(&mut as_user(NOBODY, "exec 3<\"$1\" && flock -n 3", &[&lock.display().to_string()]), LIMIT);
            assert_ne!(ran.code, Some(0), "nobody can take {}", lock.display());
        }
        let script =
            "for f in $(cd \"$1\" && find var/lib/gwe/* run -type f 2>/dev/null); do cat \"$1/$f\" 2>/dev/null; done; \
                      cat \"$1/var/lib/gwe/Gateway.cfg\" \"$1/var/lib/gwe/queue/identities\" 2>/dev/null; true";
        let read: Ran = run(&mut as_user(NOBODY, script, &[&root.display().to_string()]), LIMIT).ok();
        assert!(!read.stdout.contains(&cik), "nobody reads the CIK");
    }
    // One who is in the folder all the same keeps nobody waiting.
    let mut held = as_user(NOBODY, "exec 3<\"$1\" && flock 3; sleep 60", &[&state.display().to_string()]);
    let holder = Background::start(&mut held, site.gateway.root(), "holder");
    let ran = site.check_in().ok();
    assert!(ran.took < Duration::from_secs(60), "{}", ran.report());
    drop(holder);
    assert!(gmq.server().is_running());
}

#[test]
fn gmq_tells_a_cik_to_root_and_to_who_named_the_device_first() {
    if !may_become_nobody() {
        skip!("needs root, to be another user");
    }
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    let activate =
        |user: u32, sn: &str| post(&gmq, user, "/provision/activate", "", &format!("vendor=p&model=p&sn={sn}"));
    let is_told = |answer: &str| {
        answer.starts_with("HTTP/1.1 200 OK") && answer.rsplit("\r\n\r\n").next().is_some_and(|b| b.len() == 40)
    };
    let own = activate(NOBODY, "app-of-nobody");
    assert!(is_told(&own), "{own}");
    // The name is in the status, for everybody. It does not tell the key to others.
    for (user, sn, told) in [
        (NOBODY - 1, "app-of-nobody", false),
        (NOBODY, "app-of-nobody", true),
        (0, "app-of-nobody", true),
        (0, "app-of-root", true),
        (NOBODY, "app-of-root", false),
    ] {
        let answer = activate(user, sn);
        assert_eq!(is_told(&answer), told, "{sn} to {user}: {answer}");
        assert!(told || answer.starts_with("HTTP/1.1 204 "), "{answer}");
    }
}

/// A point for each of as many devices as gmq knows, and more; then the end of the connection.
fn requests_of_invented_devices() -> String {
    let of_device = |n| {
        format!(
            "POST /onep:v1/stack/alias/a HTTP/1.1\r\nX-Exosite-VMS: p p invented-{n}\r\nContent-Length: 3\r\n\r\n1=1"
        )
    };
    (0..600).map(of_device).collect::<String>() + "GET /status HTTP/1.1\r\nConnection: close\r\n\r\n"
}

#[test]
fn devices_that_one_user_invents_keep_nobody_out() {
    if !may_become_nobody() {
        skip!("needs root, to be another user");
    }
    let murano = Murano::with(|options| options.open = false);
    murano.server().platform().store.add_device("real").unwrap();
    let gmq = Gmq::start(&murano.url());
    let file = gmq.gateway().root().write("requests", requests_of_invented_devices());
    open_up(gmq.gateway().root().root());
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("bash");
    let script = "exec 3<>/dev/tcp/127.0.0.1/$0; cat \"$1\" >&3 & cat <&3 | grep -c '^HTTP/1.1 503'";
    command.args(["-c", script, &gmq.port().to_string()]).arg(file).uid(NOBODY).gid(NOBODY);
    let refused: u32 = run(&mut command, LIMIT).stdout.trim().parse().unwrap();
    assert!(refused > 0, "the table is full for nobody");
    gwe_tests::harness::wait_until("a real device is taken", LIMIT, || gmq.write("real", "a=1") == 204);
    assert_eq!(murano.history("real", "a"), ["1"]);
}

/// Locks whatever it may open of the paths on its input, and tells what it may open or write; then it waits.
const TAKE_ALL: &str = "while IFS= read -r path; do \
    [ -w \"$path\" ] && echo \"written $path\"; \
    [ -r \"$path\" ] && ! [ -S \"$path\" ] && exec {fd}<\"$path\" && echo \"opened $path\" && { flock -n \"$fd\" || flock -sn \"$fd\"; }; \
    done 2>/dev/null; echo ready; exec sleep 600";

/// Connections that say nothing, and a request for each of more devices than gmq knows.
const CROWD: &str = "for n in $(seq 100); do exec {fd}<>/dev/tcp/127.0.0.1/$0; done; \
    exec 3<>/dev/tcp/127.0.0.1/$0; cat \"$1\" >&3 & cat <&3 >/dev/null; exec sleep 600";

/// All of it at once, and everything that root does goes on.
#[test]
fn the_whole_list_as_user_nobody_keeps_nobody_waiting_and_tells_nothing() {
    if !may_become_nobody() {
        skip!("needs root, to be another user");
    }
    let mut site = Site::new();
    if !site.host() {
        return;
    }
    site.check_in().ok();
    let mut gmq = Gmq::start(&site.murano.url());
    assert_eq!((gmq.write("own", "a=1"), gmq.record("own", "r", "1700000000=1")), (204, 204));
    gmq.gateway().gwe(&["--set-iface", "eth8"]).ok();
    site.gateway.gwe(&["--set-iface", "eth8"]).ok();
    let cik = site.gateway.gwe(&["--gateway-cik"]).ok().stdout.trim().to_string();
    let roots = [site.gateway.root().root().to_path_buf(), gmq.gateway().root().root().to_path_buf()];
    let mut paths = String::new();
    for root in &roots {
        open_up(root);
        let all = run(Command::new("find").arg(root.join("var/lib/gwe")).arg(root.join("run")), LIMIT).stdout;
        paths += &all;
        paths += &format!("{}\n", root.join("supervisor.sock").display());
    }
    let list = site.gateway.root().write("paths", &paths);
    let mut taker = Command::new("bash");
    std::os::unix::process::CommandExt::uid(&mut taker, NOBODY).args(["-c", TAKE_ALL]);
    taker.stdin(std::fs::File::open(list).unwrap());
    let taker = Background::start(&mut taker, site.gateway.root(), "taker");
    gwe_tests::harness::wait_until("nobody has taken what it can", LIMIT, || taker.log().contains("ready"));
    assert!(!taker.log().contains("written "), "{}", taker.log());
    for opened in taker.log().lines().filter_map(|line| line.strip_prefix("opened ")) {
        let text = std::fs::read(opened).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&text).contains(&cik), "{opened} tells the CIK");
    }
    let file = gmq.gateway().root().write("requests", requests_of_invented_devices());
    let mut crowd = Command::new("bash");
    std::os::unix::process::CommandExt::uid(&mut crowd, NOBODY);
    crowd.args(["-c", CROWD, &gmq.port().to_string()]).arg(file);
    let crowd = Background::start(&mut crowd, gmq.gateway().root(), "crowd");
    let answer = post(&gmq, NOBODY, "/provision/activate", "", "vendor=p&model=p&sn=own");
    assert!(answer.starts_with("HTTP/1.1 204 "), "the key of a device that root named: {answer}");
    // What root does meanwhile.
    site.check_in().ok();
    site.gateway.gwe(&["--set-iface", "eth9"]).ok();
    site.gateway.gwe(&["--status"]).ok();
    gmq.gmq(&["status"]).ok();
    gmq.gmq(&["set-aside", "list"]).ok();
    gmq.gmq(&["cfg", "set", "unq", "batch_record_period", "0.3"]).ok();
    gwe_tests::harness::wait_until("the own device is served", LIMIT, || gmq.write("own", "a=2") == 204);
    gwe_tests::harness::wait_until("its point arrives", LIMIT, || {
        site.murano.history("own", "a").ends_with(&["2".to_string()])
    });
    drop(crowd);
    gmq.stop();
    gmq.run();
    assert_eq!(gmq.write("own", "a=3"), 204, "after a start while nobody still holds what it can");
    drop(taker);
}
