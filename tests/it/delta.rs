//! Updates by delta: the real agent, a local cloud, deltas made by the developer's tool (docs/delta-format.md). Whatever is wrong with a delta
//! or with what it is applied to, the tarball is what follows, once, and `fetch_status` says why.

use gwe::app::delta::build;
use gwe_tests::harness::{damage, sha256, wait_until, Scratch, Signer, Site, Tarball, PATIENCE, SN};
use gwe_tests::murano::endpoint::Endpoint;
use std::fs;
use std::os::unix::fs::{symlink, MetadataExt};
use std::path::PathBuf;

const OLD: &str = "app.v1.tar.gz";
pub const NEW: &str = "app.v2.tar.gz";
pub const DELTA: &str = "app.v2.from.v1.delta";

/// Bytes that do not compress, the same for the same seed.
pub fn noise(mut seed: u32, count: usize) -> Vec<u8> {
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

fn app(version: &str) -> Tarball {
    let mut program = noise(1, 200_000);
    program[100_000..100_003].copy_from_slice(&[version.as_bytes()[0]; 3]);
    Tarball::app(&format!("echo install {version}"))
        .file("data/notes.txt", 0o644, "kept from version to version")
        .file("program", 0o755, program)
        .file("version", 0o644, version)
}

/// The delta from one tarball to another, made as a developer makes it.
pub fn delta(old: (&str, &[u8]), new: (&str, &[u8])) -> Vec<u8> {
    let desk = Scratch::new();
    let (old, new) = (desk.write(old.0, old.1), desk.write(new.0, new.1));
    let built = build::build(&old, &new, desk.root(), &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
    fs::read(built.path).expect("the delta is there")
}

pub fn order(site: &Site, more: &str) {
    site.murano.write(SN, "engine_fetch", &format!(r#"{{"install": [{{"name": "{NEW}", {more}}}]}}"#));
}

/// A gateway with version 1, and a cloud with version 2 and its delta.
pub struct Case {
    pub site: Site,
    tarball: Vec<u8>,
    delta: Vec<u8>,
}

impl Case {
    pub fn new() -> Case {
        let site = Site::new();
        let (old, tarball) = (app("1").bytes(), app("2").bytes());
        assert!(site.install(OLD, &app("1")).contains("[gwe] installed app v1"));
        let delta = delta((OLD, &old), (NEW, &tarball));
        site.murano.upload(NEW, &tarball);
        site.murano.upload(DELTA, &delta);
        Case { site, tarball, delta }
    }

    pub fn delta_size(&self) -> u64 {
        self.delta.len() as u64
    }

    pub fn slot(&self, slot: &str) -> PathBuf {
        self.site.gateway.root().path("var/lib/gwe/apps/app").join(slot)
    }

    pub fn status_of(&self, more: &str) -> String {
        order(&self.site, more);
        self.site.murano.forget_requests();
        self.site.check_in();
        self.site.fetch_status()
    }

    /// How often each content was downloaded.
    pub fn downloads(&self) -> Vec<String> {
        let log = self.site.murano.requests();
        let log = log["log"].as_array().cloned().unwrap_or_default();
        let downloads = log.iter().filter(|entry| entry["endpoint"] == "download");
        let id =
            |target: &str| target.rsplit(['/', '=', '&', '?']).find(|part| part.contains("app.v")).map(String::from);
        downloads.filter_map(|entry| id(entry["target"].as_str().unwrap_or_default())).collect()
    }

    /// Version 2 is there as its tarball would have brought it, and nothing is left over.
    #[track_caller]
    pub fn is_installed(&self) {
        for (name, content) in [("program", None), ("version", Some("2")), ("data/notes.txt", None)] {
            let is = fs::read(self.slot("b").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(content.map_or(!is.is_empty(), |content| is == content.as_bytes()), "{name}");
        }
        let mut want = noise(1, 200_000);
        want[100_000..100_003].copy_from_slice(b"222");
        assert!(fs::read(self.slot("b").join("program")).unwrap() == want);
        assert_eq!(fs::metadata(self.slot("b").join("program")).unwrap().mode() & 0o777, 0o755);
        let tree = self.site.tree();
        assert!(!tree.iter().any(|path| path.contains(".delta") || path.contains("tar.gz")), "{tree:?}");
        assert!(!tree.iter().any(|path| path.ends_with("journal.json")), "{tree:?}");
        self.site.check_in().ok();
        assert_eq!(self.site.reported("app")["version"], "2");
    }
}

pub const OFFER: &str = r#""delta_from": ["0.9", "1"]"#;

/// What its base was while it waited, it is no more: the tarball is not held against the bytes of the delta.
#[test]
fn a_delta_that_waited_gives_way_to_the_tarball_when_its_base_has_changed_meanwhile() {
    let case = Case::new();
    let status = case.status_of(&[OFFER, r#", "apply": "consent""#].concat());
    assert!(status.contains("[gwe] waiting app v2"), "{status}");
    fs::write(case.slot("a").join("program"), "another").unwrap();
    // The tarball has to come, which is not for this command to wait for.
    case.site.gateway.gwe(&["--install-now", "app"]).exited(1);
    case.site.check_in().ok();
    assert!(case.site.fetch_status().contains("[gwe] installed app v2"), "{}", case.site.fetch_status());
    assert_eq!(case.downloads(), [DELTA, NEW]);
    case.is_installed();
}

#[test]
fn a_delta_brings_what_its_tarball_brings_for_a_fraction_of_its_bytes() {
    let case = Case::new();
    assert!(case.delta.len() * 20 < case.tarball.len(), "{} of {}", case.delta.len(), case.tarball.len());
    // What an app makes of its folder at run time is its own business.
    fs::create_dir(case.slot("a").join("__pycache__")).unwrap();
    fs::write(case.slot("a").join("__pycache__/x.pyc"), "compiled").unwrap();
    let status = case.status_of(OFFER);
    let received = case.delta.len();
    assert_eq!(
        status,
        format!("install 2\n[gwe] received {received} bytes for {DELTA}\n[gwe] installed app v2 in N s\n")
    );
    assert_eq!(case.downloads(), [DELTA], "and nothing of the tarball");
    assert_eq!(case.site.murano.count(Endpoint::Info), 1, "no request more than for a tarball");
    case.is_installed();
    // From there on back again, with the slots the other way round.
    let back = delta((NEW, &case.tarball), (OLD, &app("1").bytes()));
    case.site.murano.upload("app.v1.from.v2.delta", &back);
    case.site.murano.write(
        SN,
        "engine_fetch",
        &format!(r#"{{"install": [{{"name": "{OLD}", "delta_from": ["2"]}}]}}"#),
    );
    case.site.check_in().ok();
    assert!(case.site.fetch_status().contains("bytes for app.v1.from.v2.delta\n[gwe] installed app v1"));
}

#[test]
fn without_the_version_that_is_offered_it_is_the_tarball() {
    let rows = [
        (r#""delta_from": ["0.9", "1.0", "v1"]"#, true),
        (r#""delta_from": []"#, true),
        (r#""delta_from": ["2"]"#, true),
        (r#""delta_from": null"#, false),
        (r#""delta_from": ["../1", "1.from.v0", " "]"#, true),
    ];
    for (more, tells) in rows {
        let case = Case::new();
        let status = case.status_of(more);
        let told = format!("[gwe] received {} bytes for {NEW}\n", case.tarball.len());
        let told = if tells { told.as_str() } else { "" };
        assert_eq!(status, format!("install 2\n{told}[gwe] installed app v2 in N s\n"), "{more}");
        assert_eq!(case.downloads(), [NEW], "{more}");
    }
}

/// Does something to a gateway with version 1, and to the cloud.
type Change = fn(&Case);

#[test]
fn whatever_is_wrong_the_tarball_is_taken_once_and_the_report_says_why() {
    let rows: [(&str, Change, &str); 9] = [
        (
            "a file of the base was changed, and looks as before",
            |case| {
                let path = case.slot("a").join("data/notes.txt");
                let before = fs::metadata(&path).unwrap();
                fs::write(&path, "kept from VERSION to version").unwrap();
                let file = fs::File::options().write(true).open(&path).unwrap();
                file.set_modified(before.modified().unwrap()).unwrap();
            },
            "files of the version that the delta needs were changed or removed",
        ),
        (
            "a file of the base is gone",
            |case| fs::remove_file(case.slot("a").join("data/notes.txt")).unwrap(),
            "files of the version that the delta needs were changed or removed",
        ),
        (
            "the base's folder leads elsewhere",
            |case| {
                let folder = case.slot("a").join("data");
                fs::rename(&folder, case.slot("a").with_file_name("elsewhere")).unwrap();
                symlink("../elsewhere", folder).unwrap();
            },
            "files of the version that the delta needs were changed or removed",
        ),
        (
            "all of the base is gone",
            |case| fs::remove_dir_all(case.slot("a")).unwrap(),
            "a file of the version that the delta needs cannot be read",
        ),
        ("the delta is damaged", |case| case.site.murano.upload(DELTA, &damage(&case.delta, -30)), "damaged"),
        ("the delta is cut", |case| case.site.murano.upload(DELTA, &case.delta[..case.delta.len() / 2]), "truncated"),
        ("it is a tarball", |case| case.site.murano.upload(DELTA, &case.tarball), "not a delta"),
        (
            "it is for another version",
            |case| {
                let other = delta((OLD, &app("1").bytes()), ("app.v3.tar.gz", &app("3").bytes()));
                case.site.murano.upload(DELTA, &other);
            },
            "the delta is not for the app and the versions that its name says",
        ),
        (
            "it needs another content of that version",
            |case| {
                let other = delta((OLD, &app("9").bytes()), (NEW, &case.tarball));
                case.site.murano.upload(DELTA, &other);
            },
            "files of the version that the delta needs were changed or removed",
        ),
    ];
    for (what, change, reason) in rows {
        let case = Case::new();
        change(&case);
        let status = case.status_of(OFFER);
        let lines: Vec<&str> = status.lines().filter(|line| line.contains("was not used")).collect();
        assert_eq!(lines.len(), 1, "{what}: {status}");
        assert!(lines[0].starts_with(&format!("[gwe] {DELTA} was not used: ")), "{what}: {status}");
        assert!(lines[0].ends_with(&format!("; took {NEW} instead")) && lines[0].contains(reason), "{what}: {status}");
        assert!(status.ends_with("[gwe] installed app v2 in N s\n"), "{what}: {status}");
        assert_eq!(case.downloads().last().map(String::as_str), Some(NEW), "{what}");
        assert!(case.downloads().len() <= 2, "{what}: {:?}", case.downloads());
        let received: usize =
            status.split("received ").last().and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap();
        assert!(received > case.tarball.len(), "{what}: all that came is counted: {status}");
        case.is_installed();
    }
}

#[test]
fn a_delta_that_is_not_there_is_a_tarball() {
    let case = Case::new();
    case.site.murano.write(SN, "engine_fetch", r#"{"install": [{"name": "app.v4.tar.gz", "delta_from": ["1"]}]}"#);
    case.site.upload("app.v4.tar.gz", &app("4"));
    case.site.check_in();
    let status = case.site.fetch_status();
    assert!(status.contains("[gwe] app.v4.from.v1.delta was not used: "), "{status}");
    assert!(status.ends_with("[gwe] installed app v4 in N s\n"), "{status}");
}

#[test]
fn a_delta_is_gone_on_with_where_it_broke_off() {
    let site = Site::new();
    let tarball = |version: &str, seed: u32| {
        Tarball::app("echo done").file("same", 0o644, noise(7, 100_000)).file(version, 0o644, noise(seed, 100_000))
    };
    let (old, new) = (tarball("1", 1).bytes(), tarball("2", 2).bytes());
    assert!(site.install(OLD, &tarball("1", 1)).contains("installed app v1"));
    let delta = delta((OLD, &old), (NEW, &new));
    site.murano.upload(DELTA, &delta);
    site.murano.faults(&["download:drop=body+60000*1"]);
    order(&site, OFFER);
    site.check_in();
    let status = site.fetch_status();
    assert!(status.ends_with("[gwe] installed app v2 in N s\n"), "{status}");
    let received: usize =
        status.split("received ").last().and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap();
    assert_eq!(received, delta.len(), "nothing came twice: {status}");
}

#[test]
fn a_version_that_was_rolled_back_does_not_come_back_as_a_delta() {
    let site = Site::new();
    let bad = app("2").file("supervisor.conf", 0o644, "[supervisord]\ncommand = ./none\n");
    let (old, new) = (app("1").bytes(), bad.bytes());
    assert!(site.install(OLD, &app("1")).contains("installed app v1"));
    // The registry of a gateway where that very tarball has failed.
    let registry = site.gateway.root().path("var/lib/gwe/install/registry.json");
    let mut known: serde_json::Value = serde_json::from_slice(&fs::read(&registry).unwrap()).unwrap();
    let sha256 = sha256(&new);
    known["refused"] =
        serde_json::json!([{"tarball": NEW, "sha256": sha256, "content": null, "why": "it died", "suspect": null}]);
    fs::write(&registry, known.to_string()).unwrap();
    site.murano.upload(NEW, &new);
    site.murano.upload(DELTA, &delta((OLD, &old), (NEW, &new)));
    order(&site, OFFER);
    site.murano.forget_requests();
    site.check_in();
    let status = site.fetch_status();
    assert!(status.contains("[gwe] failed app v2: this very content failed before (it died)"), "{status}");
    assert_eq!(site.murano.count(Endpoint::Download), 1, "only the delta, and not the tarball after it");
}

#[test]
fn with_a_trusted_key_the_delta_s_own_signature_counts() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let at = |signer: &Signer, name: &str, bytes: &[u8], time: u64| {
        signer.sign(name, bytes, Some(&format!("timestamp:{time}\tfile:{name}\thashed")))
    };
    // The delta's signature, and why it is not used; nothing: it is.
    type Sign<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;
    let rows: [(&str, Sign<'_>, Option<&str>); 5] = [
        ("good", &|delta| Some(at(&signer, DELTA, delta, 2_000)), None),
        ("none", &|_| None, Some("it is not signed: there is no app.v2.from.v1.delta.minisig")),
        ("a stranger's", &|delta| Some(at(&stranger, DELTA, delta, 2_000)), Some("which is not trusted")),
        ("for the tarball", &|delta| Some(at(&signer, NEW, delta, 2_000)), Some("its signature is for another file")),
        ("older", &|delta| Some(at(&signer, DELTA, delta, 999)), Some("older than that of the installed version")),
    ];
    for (what, sign, reason) in rows {
        let site = Site::new();
        site.gateway.root().write("etc/gwe/trusted/oem.pub", fs::read(signer.public_key()).unwrap());
        let (old, new) = (app("1").bytes(), app("2").bytes());
        site.murano.upload(&format!("{OLD}.minisig"), &at(&signer, OLD, &old, 1_000));
        assert!(site.install(OLD, &app("1")).contains("installed app v1"), "{}", site.fetch_status());
        let delta = delta((OLD, &old), (NEW, &new));
        site.murano.upload(DELTA, &delta);
        site.murano.upload(NEW, &new);
        site.murano.upload(&format!("{NEW}.minisig"), &at(&signer, NEW, &new, 2_000));
        if let Some(signature) = sign(&delta) {
            site.murano.upload(&format!("{DELTA}.minisig"), &signature);
        }
        order(&site, OFFER);
        site.check_in();
        let status = site.fetch_status();
        assert!(status.ends_with("[gwe] installed app v2 in N s\n"), "{what}: {status}");
        match reason {
            None => assert!(!status.contains("was not used"), "{what}: {status}"),
            Some(reason) => assert!(status.contains("was not used") && status.contains(reason), "{what}: {status}"),
        }
    }
}

#[test]
fn the_hash_in_an_order_is_the_tarball_s_and_is_not_taken_on_trust() {
    let signer = Signer::new();
    for (is_signed, wanted, reason) in [
        (false, true, Some("the request names the tarball's SHA-256, and no delta is signed here")),
        (true, true, None),
        (true, false, Some("it is for another tarball than the request's SHA-256 says")),
    ] {
        let site = Site::new();
        if is_signed {
            site.gateway.root().write("etc/gwe/trusted/oem.pub", fs::read(signer.public_key()).unwrap());
        }
        let upload = |name: &str, bytes: &[u8]| {
            site.murano.upload(name, bytes);
            site.murano.upload(&format!("{name}.minisig"), &signer.sign(name, bytes, None));
        };
        let (old, new) = (app("1").bytes(), app("2").bytes());
        upload(OLD, &old);
        upload(NEW, &new);
        site.order(&[OLD]);
        site.check_in();
        // Another build of the same version: its delta says so.
        let other = if wanted { new.clone() } else { app("9").bytes() };
        upload(DELTA, &delta((OLD, &old), (NEW, &other)));
        let hash = sha256(&new);
        order(&site, &format!(r#"{OFFER}, "sha256": "{hash}", "size": {}"#, new.len()));
        site.check_in();
        let status = site.fetch_status();
        assert!(status.ends_with("[gwe] installed app v2 in N s\n"), "{status}");
        assert_eq!(site.gateway.root().read("var/lib/gwe/apps/app/b/version"), "2");
        assert_eq!(status.contains("was not used"), reason.is_some(), "{status}");
        assert!(reason.is_none_or(|reason| status.contains(reason)), "{status}");
    }
}

/// What the log says when a state is reached, and where a power cut or a kill must not lose the delta.
const MOMENTS: [&str; 5] = [
    "installing app v2",
    "app.v2.tar.gz: requested → downloading",
    "app.v2.tar.gz: downloading → verified",
    "app.v2.tar.gz: verified → staged",
    "app.v2.tar.gz: staged → installing",
];

#[test]
fn killed_in_every_state_the_delta_is_still_what_is_installed() {
    for moment in MOMENTS {
        let case = Case::new();
        order(&case.site, OFFER);
        let mut check_in = case.site.gateway.start("gwe", &["--once"]);
        wait_until(moment, PATIENCE, || check_in.log().contains(moment) || !check_in.is_running());
        check_in.kill();
        for _ in 0..4 {
            case.site.check_in();
        }
        let status = case.site.fetch_status();
        assert!(status.ends_with("[gwe] installed app v2 in N s\n"), "{moment}: {status}");
        assert!(!status.contains("was not used") && status.contains(&format!("for {DELTA}\n")), "{moment}: {status}");
        case.is_installed();
    }
}

#[test]
fn killed_while_the_tarball_takes_its_place_it_still_does() {
    let case = Case::new();
    case.site.murano.upload(DELTA, &damage(&case.delta, -30));
    order(&case.site, OFFER);
    let mut check_in = case.site.gateway.start("gwe", &["--once"]);
    wait_until("the fall back", PATIENCE, || check_in.log().contains("taking app.v2.tar.gz instead"));
    check_in.kill();
    for _ in 0..4 {
        case.site.check_in();
    }
    let status = case.site.fetch_status();
    assert_eq!(status.matches("was not used").count(), 1, "{status}");
    assert!(status.ends_with("[gwe] installed app v2 in N s\n"), "{status}");
    case.is_installed();
}

#[test]
fn an_install_by_hand_in_between_takes_the_delta_its_base_and_it_is_the_tarball_then() {
    let case = Case::new();
    // The network breaks off in the middle of the delta.
    case.site.murano.faults(&["download:drop=body+10"]);
    order(&case.site, OFFER);
    case.site.check_in();
    assert_eq!(case.site.gateway.root().read("var/lib/gwe/install/journal.json").matches(DELTA).count(), 1);
    case.site.murano.clear_faults();
    let by_hand = app("3").save(case.site.gateway.root().path("app.v3.tar.gz"));
    case.site.gateway.gwe(&["--install-apps", &by_hand.to_string_lossy()]).ok();
    case.site.check_in();
    let status = case.site.fetch_status();
    assert!(status.contains("was not used: the version that the delta needs is not installed"), "{status}");
    assert!(status.ends_with("[gwe] installed app v2 in N s\n"), "{status}");
    case.site.check_in();
    assert_eq!(case.site.reported("app")["version"], "2");
}
