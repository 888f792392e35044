//! Keys that age, from outside: a set of keys that the image's root signs says which keys count, from when until when (docs/security.md,
//! "Keys that age"; docs/spec/failures.md, F8: rauc#347, rauc#651).

use crate::killed;
use gwe_tests::harness::{Signer, Site, Tarball, WrongClock, PATIENCE};
use gwe_tests::skip;
use serde_json::{json, Value};
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// A root, whose public half the image has; its keys come in sets.
pub struct Fleet {
    root: Signer,
    pub site: Site,
}

/// The number of a signer's key, and its line.
fn public(signer: &Signer) -> (String, String) {
    let text = fs::read_to_string(signer.public_key()).expect("the key is there");
    let mut lines = text.lines();
    let id = lines.next().and_then(|line| line.rsplit(' ').next()).expect("a comment with the key's number");
    (id.to_string(), lines.next().expect("the key").to_string())
}

pub fn key(signer: &Signer) -> Value {
    json!({"name": "release", "key": public(signer).1})
}

fn with(mut key: Value, more: Value) -> Value {
    key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    key
}

fn package(text: &str) -> Vec<u8> {
    Tarball::new().file("keys.json", 0o644, text).bytes()
}

/// The day that many days from now.
fn day(days: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    gwe::format::utc::date((now + days * DAY) as u64).chars().take(10).collect()
}

impl Fleet {
    pub fn new() -> Fleet {
        let fleet = Fleet { root: Signer::new(), site: Site::new() };
        fleet.trust("trusted-root/root.pub", &fleet.root);
        fleet
    }

    fn trust(&self, file: &str, signer: &Signer) {
        self.site.gateway.root().write(&format!("etc/gwe/{file}"), fs::read(signer.public_key()).unwrap());
    }

    /// Uploads a set as the root signs it; its name.
    pub fn upload_set(&self, version: u64, more: Value) -> String {
        let set = with(json!({"version": version}), more);
        self.upload(&format!("gwe-keys.v{version}.tar.gz"), &package(&set.to_string()), &self.root)
    }

    fn upload(&self, name: &str, bytes: &[u8], signer: &Signer) -> String {
        self.site.murano.upload(name, bytes);
        self.site.murano.upload(&format!("{name}.minisig"), &signer.sign(name, bytes, None));
        name.to_string()
    }

    pub fn upload_app(&self, version: u64, signer: &Signer) -> String {
        self.upload(&format!("app.v{version}.tar.gz"), &Tarball::app("true").bytes(), signer)
    }

    /// Orders them in this order; what is told of each.
    pub fn told(&self, names: &[&String]) -> Vec<String> {
        self.site.order(&names.iter().map(|name| name.as_str()).collect::<Vec<_>>());
        self.site.check_in().ok();
        self.site.fetch_status().lines().filter(|line| line.starts_with("[gwe]")).map(str::to_string).collect()
    }

    fn take_set(&self, version: u64, more: Value) {
        let set = self.upload_set(version, more);
        assert_eq!(self.told(&[&set]), [format!("[gwe] installed gwe-keys v{version} in N s")]);
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.site.gateway.gwe(&["--status", "--json"]).ok().stdout).expect("status is JSON")
    }

    /// Kind and text of each event.
    fn events(&self) -> Vec<String> {
        let events = self.status()["security_events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|e| format!("{} {}", e["what"].as_str().unwrap(), e["about"].as_str().unwrap())).collect()
    }
}

#[test]
fn a_set_comes_before_anything_else_of_its_order_and_a_revoked_key_signs_nothing_more() {
    let (fleet, first, second) = (Fleet::new(), Signer::new(), Signer::new());
    // The image has a root and no key: nothing is taken, and nothing is open.
    let app = fleet.upload_app(1, &first);
    let told = fleet.told(&[&app]);
    assert!(told[0].starts_with("[gwe] failed app v1: ") && told.len() == 1, "{told:?}");
    assert_eq!(fleet.status()["signatures"], "no package is accepted: no trusted key can be used");

    let set = fleet.upload_set(1, json!({"keys": [key(&first)]}));
    let installed = ["[gwe] installed app v1 in N s", "[gwe] installed gwe-keys v1 in N s"];
    assert_eq!(fleet.told(&[&app, &set]), installed, "the set stands behind the app");
    assert_eq!(
        (fleet.status()["key_set"].clone(), fleet.status()["apps"].to_string().contains("gwe-keys")),
        (json!(1), false)
    );

    let revoked = json!({"keys": [with(key(&first), json!({"revoked": true})), key(&second)]});
    let (app, set) = (fleet.upload_app(2, &first), fleet.upload_set(2, revoked));
    let told = fleet.told(&[&app, &set]);
    assert!(
        told[0].contains("failed app v2: it is signed with the key") && told[0].ends_with("which is revoked"),
        "{told:?}"
    );
    assert_eq!(told[1], "[gwe] installed gwe-keys v2 in N s");
    assert_eq!(
        fleet.site.reported("app")["version"].as_str().unwrap_or_default().trim_start_matches('v'),
        "1",
        "what runs stays"
    );
    let app = fleet.upload_app(3, &second);
    assert_eq!(fleet.told(&[&app]), ["[gwe] installed app v3 in N s"]);

    let (id, _) = public(&first);
    let events = fleet.events();
    assert_eq!(events.len(), 4, "{events:?}");
    assert!(events[0].starts_with("signature_refused app.v1.tar.gz: "), "{events:?}");
    assert_eq!(events[1..3], ["key_set_changed v1 is in force", "key_set_changed v2 is in force"]);
    assert_eq!(events[3], format!("revoked_key app.v2.tar.gz: it is signed with the key {id}, which is revoked"));
    let keys = fleet.status()["trusted_keys"].to_string();
    assert!(keys.contains(&format!("release {id}, revoked")), "{keys}");
    // Nobody takes a set away, and an older one is no way back, nor another of that version.
    fleet.site.murano.write(gwe_tests::harness::SN, "engine_fetch", r#"{"remove": ["gwe-keys"]}"#);
    fleet.site.check_in().ok();
    assert!(
        fleet.site.fetch_status().contains("keys are taken back by a newer set of keys"),
        "{}",
        fleet.site.fetch_status()
    );
    for (version, told) in
        [(1, "it goes back: v2 of the set of keys is in force"), (2, "another v2 of the set of keys is in force")]
    {
        let set = fleet.upload_set(version, json!({"keys": [key(&first)]}));
        let said = fleet.told(&[&set]);
        assert_eq!(said, [format!("[gwe] failed gwe-keys v{version}: {told}")]);
    }
}

#[test]
fn a_bad_set_is_told_and_what_else_was_ordered_goes_on_under_the_old_one() {
    let (fleet, release, stranger) = (Fleet::new(), Signer::new(), Signer::new());
    fleet.trust("trusted/plain.pub", &stranger);
    fleet.take_set(1, json!({"keys": [key(&release)]}));
    let good = |version: u64| with(json!({"version": version}), json!({"keys": [key(&release)]})).to_string();
    let (root_id, root_line) = public(&fleet.root);
    let rows: [(Vec<u8>, Option<&Signer>, String); 9] = [
        (package(&good(2)), None, "it is not signed".into()),
        (package(&good(2)), Some(&release), "which is not trusted".into()),
        (package(&good(2)), Some(&stranger), "which is not trusted".into()),
        (package(&good(3)), Some(&fleet.root), "keys.json says version 3, and its name another".into()),
        (package("{\"version\": 2"), Some(&fleet.root), "keys.json is not JSON".into()),
        (Tarball::app("true").bytes(), Some(&fleet.root), "there is no keys.json in it".into()),
        (b"no archive".to_vec(), Some(&fleet.root), "no tar.gz".into()),
        (
            package(&json!({"version": 2, "keys": [{"key": root_line}]}).to_string()),
            Some(&fleet.root),
            format!("its key {root_id} is a root key"),
        ),
        (vec![b'x'; 200_000], Some(&fleet.root), "larger than 128 KiB".into()),
    ];
    for (index, (bytes, signer, why)) in rows.iter().enumerate() {
        let app = fleet.upload_app(index as u64, &release);
        let set = "gwe-keys.v2.tar.gz".to_string();
        match signer {
            Some(signer) => fleet.upload(&set, bytes, signer),
            None => {
                fleet.site.murano.upload(&set, bytes);
                set
            }
        };
        let told = fleet.told(&[&app, &"gwe-keys.v2.tar.gz".to_string()]);
        assert_eq!(told[0], format!("[gwe] installed app v{index} in N s"), "{why}");
        assert!(told[1].starts_with("[gwe] failed gwe-keys v2: ") && told[1].contains(why.as_str()), "{why}: {told:?}");
    }
    assert_eq!(fleet.status()["key_set"], 1);
    // A root signs sets and nothing else, also where the image has it among its plain keys.
    fleet.trust("trusted/root.pub", &fleet.root);
    let app = fleet.upload_app(20, &fleet.root);
    assert!(fleet.told(&[&app])[0].contains("which is not trusted"));
    // Without a root, no set is taken.
    fs::remove_dir_all(fleet.site.gateway.root().path("etc/gwe/trusted-root")).unwrap();
    let set = fleet.upload_set(2, json!({"keys": [key(&stranger)]}));
    assert!(fleet.told(&[&set])[0].contains("this image trusts no root key"));
    // What is in force stays.
    let app = fleet.upload_app(21, &release);
    assert_eq!(fleet.told(&[&app]), ["[gwe] installed app v21 in N s"]);
}

/// docs/spec/failures.md, F9: what `REQUIRE_SIGNATURES=yes` makes an image's build fail for.
#[test]
fn a_root_key_that_can_be_used_is_key_enough_until_a_set_says_otherwise() {
    let (mut fleet, release) = (Fleet::new(), Signer::new());
    fleet.site.set("install", "require_signatures", "yes");
    let root = fs::read_to_string(fleet.root.public_key()).unwrap();
    let revoked = json!({"version": 1, "keys": [with(key(&release), json!({"revoked": true}))]});
    for (root, set, is_fine) in [
        (root.as_str(), None, true),
        (root.as_str(), Some(json!({"version": 1, "keys": [key(&release)]})), true),
        (root.as_str(), Some(revoked), false),
        ("no key", None, false),
    ] {
        fleet.site.gateway.root().write("etc/gwe/trusted-root/root.pub", root);
        let image = fleet.site.gateway.root().path("etc/gwe/keys.json");
        match &set {
            Some(set) => fs::write(image, set.to_string()).unwrap(),
            None => drop(fs::remove_file(image)),
        }
        let checked = fleet.site.gateway.gwe(&["--check-config"]);
        let said = checked.exited(i32::from(!is_fine)).stdout;
        let want = if is_fine { "[PASS]\n" } else { "require_signatures: no key in " };
        assert!(said.starts_with(want), "{root} {set:?}: {said}");
    }
}

#[test]
fn plain_keys_go_on_unless_the_set_says_otherwise() {
    let (fleet, plain, aged) = (Fleet::new(), Signer::new(), Signer::new());
    fleet.trust("trusted/plain.pub", &plain);
    let (id, _) = public(&plain);
    let rows = [
        (json!({"keys": [key(&aged)]}), true),
        (json!({"keys": [{"id": id, "revoked": true}]}), false),
        (json!({"keys": [with(key(&plain), json!({"until": day(-2)}))]}), false),
        (json!({"only": true, "keys": [key(&aged)]}), false),
        (json!({"only": true, "keys": [key(&plain)]}), true),
        (json!({"only": false, "keys": []}), true),
    ];
    for (index, (set, is_taken)) in rows.into_iter().enumerate() {
        let version = index as u64 + 1;
        fleet.take_set(version, set.clone());
        let app = fleet.upload_app(version, &plain);
        let told = fleet.told(&[&app]);
        assert_eq!(told[0].starts_with("[gwe] installed"), is_taken, "{set}: {told:?}");
    }
}

#[test]
fn a_thief_s_claim_and_a_lost_clock_open_no_key() {
    let Some(clock) = WrongClock::new() else { skip!("needs a C compiler") };
    let (fleet, old, new, next) = (Fleet::new(), Signer::new(), Signer::new(), Signer::new());
    fleet.take_set(
        1,
        json!({"keys": [
            with(key(&old), json!({"name": "old", "from": "2020-01-01", "until": day(-1)})),
            with(key(&new), json!({"name": "new", "from": day(0), "until": day(10)})),
            with(key(&next), json!({"name": "next", "from": day(2)})),
        ]}),
    );
    let year = 365 * DAY;
    let mut version = 0;
    // Key, when its signature says it was made, how far the clock is off, and why it is not taken.
    for (signer, signed, off, why) in [
        (&new, 0, 0, ""),
        (&old, 0, 0, "whose time is over"),
        (&old, -3 * DAY, 0, "whose time is over"),
        // The clock's battery is empty: the root's own signature says that its day is over.
        (&old, -3 * DAY, -50 * year, "whose time is over"),
        (&old, -3 * DAY, -3 * DAY, "whose time is over"),
        (&new, 0, -50 * year, ""),
        (&new, 0, 11 * DAY, "whose time is over"),
        // A clock that jumped fifty years ahead is not believed.
        (&new, 0, 50 * year, ""),
        (&next, 0, 0, "whose time has not begun"),
        (&next, 3 * DAY, 0, "whose time has not begun"),
        (&next, 0, 3 * DAY, "whose time has not begun"),
        (&next, 3 * DAY, 3 * DAY, ""),
    ] {
        version += 1;
        let name = format!("app{version}.v1.tar.gz");
        let bytes = Tarball::app("true").bytes();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        let comment = format!("timestamp:{}\tfile:{name}\thashed", now + signed);
        fleet.site.murano.upload(&name, &bytes);
        fleet.site.murano.upload(&format!("{name}.minisig"), &signer.sign(&name, &bytes, Some(&comment)));
        fleet.site.order(&[&name]);
        clock.turn(off);
        gwe_tests::harness::run(clock.wear(fleet.site.gateway.command("gwe").arg("--once")), PATIENCE).ok();
        let told = fleet.site.fetch_status();
        assert_eq!(told.contains("[gwe] installed"), why.is_empty(), "{version}: {told}");
        assert!(told.contains(why), "{version}: {told}");
    }
}

#[test]
fn a_set_outlives_a_factory_reset_and_neither_its_version_nor_the_image_s_goes_back() {
    let (fleet, first, second) = (Fleet::new(), Signer::new(), Signer::new());
    let root = fleet.site.gateway.root();
    let image = json!({"version": 5, "keys": [key(&first)]});
    root.write("etc/gwe/keys.json", image.to_string());
    let set = fleet.upload_set(4, json!({"keys": [key(&second)]}));
    assert_eq!(fleet.told(&[&set]), ["[gwe] failed gwe-keys v4: it goes back: v5 of the set of keys is in force"]);
    let app = fleet.upload_app(1, &first);
    assert_eq!(fleet.told(&[&app]), ["[gwe] installed app v1 in N s"]);
    fleet.take_set(6, json!({"keys": [key(&second), with(key(&first), json!({"revoked": true}))]}));
    // As the init scripts do it (tests/images/test_prepare.py).
    let state = root.path("var/lib/gwe");
    for entry in fs::read_dir(&state).unwrap().flatten().filter(|entry| entry.file_name() != "security") {
        let path = entry.path();
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    root.write("var/lib/gwe/security/factory-reset", "8c5a\n");
    fleet.site.murano.server().platform().store.revoke_device(gwe_tests::harness::SN).unwrap();
    let set = fleet.upload_set(5, json!({"keys": [key(&first)]}));
    let app = fleet.upload_app(2, &first);
    let told = fleet.told(&[&set, &app]);
    assert_eq!(told[0], "[gwe] failed gwe-keys v5: it goes back: v6 of the set of keys is in force");
    assert!(told[1].ends_with("which is revoked"), "{told:?}");
    let numbers: Vec<u64> = fleet.status()["security_events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["n"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(fleet.events()[2], "factory_reset boot 8c5a");
    // A newer image's set takes the place of an older one that came before.
    root.write("etc/gwe/keys.json", json!({"version": 7, "keys": [key(&first)]}).to_string());
    let app = fleet.upload_app(3, &first);
    assert_eq!(fleet.told(&[&app]), ["[gwe] installed app v3 in N s"]);
}

#[test]
fn a_set_that_cannot_be_read_opens_nothing_and_the_next_one_mends_it() {
    let (fleet, plain, release) = (Fleet::new(), Signer::new(), Signer::new());
    fleet.trust("trusted/plain.pub", &plain);
    fleet.take_set(3, json!({"keys": [key(&release)]}));
    let path = "var/lib/gwe/security/key_set.json";
    let whole = fleet.site.gateway.root().read(path);
    for (version, damage) in
        [String::new(), "\0\0\0\0".repeat(50), whole[..whole.len() / 2].to_string()].iter().enumerate()
    {
        fleet.site.gateway.root().write(path, damage);
        for signer in [&plain, &release] {
            let app = fleet.upload_app(version as u64, signer);
            let told = fleet.told(&[&app]);
            assert!(told[0].contains("no trusted key can be used to verify its signature"), "{told:?}");
        }
        let checked = fleet.site.gateway.gwe(&["--check-config"]).exited(1).stdout;
        assert!(checked.contains("key_set.json"), "{checked}");
    }
    let set = fleet.upload_set(3, json!({"keys": [key(&release)]}));
    let app = fleet.upload_app(9, &release);
    assert_eq!(fleet.told(&[&app, &set])[0], "[gwe] installed app v9 in N s");
    assert_eq!(fleet.site.gateway.gwe(&["--check-config"]).ok().stdout, "[PASS]\n");
}

#[test]
fn what_was_checked_before_its_key_was_revoked_is_not_installed_after() {
    let (fleet, release) = (Fleet::new(), Signer::new());
    fleet.take_set(1, json!({"keys": [key(&release)]}));
    let app = fleet.upload_app(1, &release);
    fleet.site.order(&[&app]);
    if !killed::killed_at(&fleet.site, "app.v1.tar.gz: downloading → verified") {
        skip!("the check-in had ended before it could be killed");
    }
    let set = fleet.upload_set(2, json!({"keys": [with(key(&release), json!({"revoked": true}))]}));
    // The one that was cut off goes on before the next order is known: so the set comes from this gateway's own disk.
    let file = fleet.site.gateway.root().path(&set);
    for name in [set.clone(), format!("{set}.minisig")] {
        fs::copy(fleet.root.folder().path(&name), file.with_file_name(&name)).unwrap();
    }
    let ran = fleet.site.gateway.gwe(&["--install-apps", file.to_str().unwrap()]).ok().stdout;
    assert_eq!(ran.lines().count(), 1, "{ran}");
    fleet.site.check_in().ok();
    let told = fleet.site.fetch_status();
    assert!(told.contains("failed app v1: it is signed with the key") && told.contains("which is revoked"), "{told}");
}

/// Row: the distribution set's files in an order that puts the app first.
#[test]
fn from_hawkbit_a_set_is_an_artifact_and_comes_first() {
    let (root, release) = (Signer::new(), Signer::new());
    let unit = crate::ddi::unit();
    unit.gateway.root().write("etc/gwe/trusted-root/root.pub", fs::read(root.public_key()).unwrap());
    let set = package(&json!({"version": 1, "keys": [key(&release)]}).to_string());
    let mut files = Vec::new();
    for (name, bytes, signer) in
        [("app.v1.tar.gz", Tarball::app("true").bytes(), &release), ("gwe-keys.v1.tar.gz", set, &root)]
    {
        let signature = signer.sign(name, &bytes, None);
        files.push(unit.hawkbit.artifact(name, &bytes));
        files.push(unit.hawkbit.artifact(&format!("{name}.minisig"), &signature));
    }
    let chunk = json!({"part": "bApp", "version": "1", "name": "x", "artifacts": files});
    unit.hawkbit.order_exactly("7", json!({"download": "forced", "update": "forced", "chunks": [chunk]}));
    unit.check_in().ok();
    let details = unit.hawkbit.details("7").join("\n");
    assert_eq!(unit.hawkbit.told("7").last().unwrap(), "closed success 0", "{details}");
    assert!(details.contains("installed app v1") && details.contains("installed gwe-keys v1"), "{details}");
}

/// hawkbit#381 and its kind: one end, whenever it was cut off; and never two sets, or none.
#[test]
fn killed_at_any_moment_a_set_is_taken_once() {
    let (fleet, first, second) = (Fleet::new(), Signer::new(), Signer::new());
    fleet.take_set(1, json!({"keys": [key(&first)]}));
    let mut version = 1;
    let mut reached = 0;
    for moment in [
        "installing gwe-keys",
        "requested → downloading",
        "downloading → verified",
        "verified → staged",
        "staged → installing",
        "installing → settling",
        "settling → done",
    ] {
        version += 1;
        let set = fleet.upload_set(version, json!({"keys": [key(if version % 2 == 0 { &second } else { &first })]}));
        fleet.site.order(&[&set]);
        reached += usize::from(killed::kill_at(&fleet.site, moment));
        killed::recover(&fleet.site);
        assert_eq!(fleet.status()["key_set"], version, "{moment}");
        let changed = format!("key_set_changed v{version} is in force");
        assert_eq!(fleet.events().iter().filter(|event| **event == changed).count(), 1, "{moment}");
        let times = fleet.status()["security_events"].as_array().unwrap().last().unwrap()["times"].clone();
        assert_eq!(times, 1, "{moment}");
        let reports = fleet.site.reports();
        let told = reports.iter().filter(|report| report.contains(&format!("installed gwe-keys v{version} "))).count();
        assert_eq!(told, 1, "{moment}: {reports:?}");
    }
    assert!(reached > 0, "no moment was ever reached");
}
