//! A set of keys takes the place of another (docs/spec/failures.md, F8): it is ordered together with an app that only the new set lets in, and one
//! whose key it revokes. Acknowledged is what the gateway has told the server.
//!
//! On the disk as the power cut left it, before anything runs: one of the two sets is there, whole, and the new one where that was reported; no
//! app is recorded that the sets do not let in; the events have rising numbers, none is lost, and those of what was reported are there. Then the
//! gateway boots and checks in: the new set is in force, each order has its one end, each event was counted once, and the old set is no way back.

use super::look::{is_pending, nothing_left, read, Step};
use super::otau::{check_in_until, server_data};
use crate::gateway::{lay_out, Agent, Boot, Server, Told, SERIAL};
use crate::trouble::{Doing, Outcome};
use crate::witness::Witness;
use crate::workload::{Checker, CrashState, Finding, Workload};
use gwe::install::registry;
use gwe_tests::harness::{Scratch, Signer, Tarball};
use serde_json::{json, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// The new set.
const SET: &str = "gwe-keys.v2.tar.gz";
/// An app that its key signs.
const LET_IN: &str = "new_app.v1.tar.gz";
/// One that the key signs which it revokes.
const KEPT_OUT: &str = "old_app.v1.tar.gz";
/// The app's folder of this name is the registry's, too.
const APP: &str = "new_app";
/// How the reports of the three begin.
const ENDS: [&str; 3] =
    ["[gwe] installed gwe-keys v2 in ", "[gwe] installed new_app v1 in ", "[gwe] failed old_app v1: "];

/// The workload.
pub struct KeySet;

/// Where the old set is kept as a package, to come back from.
fn old_package(notes: &Path) -> PathBuf {
    notes.join("gwe-keys.v1.tar.gz")
}

/// Where the text of a set is kept to compare with.
fn text_of(notes: &Path, version: u64) -> PathBuf {
    notes.join(format!("keys-{version}.json"))
}

/// A key of a set.
fn key(signer: &Signer, is_revoked: bool) -> Outcome<Value> {
    let path = signer.public_key();
    let text = fs::read_to_string(&path).doing("read", &path)?;
    Ok(json!({"name": "release", "key": text.lines().nth(1), "revoked": is_revoked}))
}

/// Keeps the text, and makes the package.
fn package(notes: &Path, version: u64, keys: &[Value]) -> Outcome<Vec<u8>> {
    let (path, text) = (text_of(notes, version), json!({"version": version, "keys": keys}).to_string());
    fs::write(&path, &text).doing("write", &path)?;
    Ok(Tarball::new().file("keys.json", 0o644, text).bytes())
}

impl Workload for KeySet {
    fn name(&self) -> &'static str {
        "key-set"
    }

    fn checks_at_a_time(&self) -> u64 {
        12
    }

    fn prepare(&self, root: &Path, notes: &Path) -> Outcome<()> {
        let (image, old, new) = (Signer::new(), Signer::new(), Signer::new());
        lay_out(root)?;
        let roots = root.join("etc/gwe/trusted-root");
        fs::create_dir(&roots).doing("create", &roots)?;
        fs::copy(image.public_key(), roots.join("root.pub")).doing("copy to", &roots)?;
        let server = Server::on(&server_data(notes));
        let app = Tarball::app("true").bytes();
        let set = package(notes, 2, &[key(&old, true)?, key(&new, false)?])?;
        for (name, bytes, signer) in [(SET, &set, &image), (LET_IN, &app, &new), (KEPT_OUT, &app, &old)] {
            server.upload(name, bytes)?;
            server.upload(&format!("{name}.minisig"), &signer.sign(name, bytes, None))?;
        }
        let (file, first) = (old_package(notes), package(notes, 1, &[key(&old, false)?])?);
        let signature = file.with_extension("gz.minisig");
        fs::write(&signature, image.sign("gwe-keys.v1.tar.gz", &first, None)).doing("write", &signature)?;
        fs::write(&file, first).doing("write", &file)?;

        let agent = Agent::on(root)?;
        let _boot = Boot::up(root, &server.source(), None)?;
        agent.sure(&["--install-apps", &file.to_string_lossy()])?;
        agent.sure(&["--once"])?;
        let names = [LET_IN, KEPT_OUT, SET].map(|name| json!({"name": name}));
        server.murano().write(SERIAL, "engine_fetch", &json!({"install": names}).to_string());
        Ok(())
    }

    fn work(&self, root: &Path, notes: &Path, witness: &Witness) -> Outcome<()> {
        let server = Server::on_copy(&server_data(notes), &notes.join("server-at-work"))?.watched_by(witness)?;
        let _boot = Boot::up(root, &server.source(), None)?;
        until_told(root, &server)?.map_err(|finding| finding.text())
    }

    fn checker(&self, notes: &Path) -> Outcome<Box<dyn Checker>> {
        let scratch = Scratch::new();
        let before = Server::on_copy(&server_data(notes), &scratch.path("server"))?.told();
        let text = |version| fs::read_to_string(text_of(notes, version)).doing("read", notes);
        Ok(Box::new(KeySetChecker { notes: notes.to_path_buf(), texts: [text(1)?, text(2)?], before, scratch }))
    }
}

fn is_told(told: &Told, end: &str) -> bool {
    told.reports.iter().any(|report| report.contains(end))
}

/// Checks in until the platform has been told of each, and once more with nothing to do.
fn until_told(root: &Path, server: &Server) -> Outcome<Step<()>> {
    let agent = Agent::on(root)?;
    let check_in = || {
        let ran = agent.gwe(&["--once"]);
        Ok((ran.code, ran.stderr))
    };
    let done = check_in_until(server, check_in, |told| ENDS.iter().all(|end| is_told(told, end)))?;
    if done.is_ok() {
        agent.sure(&["--once"])?;
    }
    Ok(done)
}

struct KeySetChecker {
    notes: PathBuf,
    /// The two sets.
    texts: [String; 2],
    /// What the server knew before the work.
    before: Told,
    scratch: Scratch,
}

/// A file of the folder that outlives a reset.
fn security(root: &Path, name: &str) -> Step<Value> {
    let bytes = read(&root.join("var/lib/gwe/security").join(name))?;
    serde_json::from_slice(&bytes).map_err(|error| Finding::Third(format!("{name}: {error}")))
}

/// What happened and how often, from the oldest on.
fn events(root: &Path) -> Step<Vec<(String, u64)>> {
    let book = security(root, "events.json")?;
    let events = book["events"].as_array().cloned().unwrap_or_default();
    let numbers: Vec<u64> = events.iter().filter_map(|event| event["n"].as_u64()).collect();
    if numbers != (1..=events.len() as u64).collect::<Vec<_>>() || book["next"] != numbers.len() as u64 + 1 {
        return Err(Finding::Third(format!("the numbers of the events: {book}")));
    }
    let text = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_string();
    let told = |event: &Value| format!("{} {}", text(event, "what"), text(event, "about"));
    Ok(events.iter().map(|event| (told(event), event["times"].as_u64().unwrap_or(0))).collect())
}

/// How often one that begins so has happened.
fn count(events: &[(String, u64)], what: &str) -> u64 {
    events.iter().filter(|(text, _)| text.starts_with(what)).map(|(_, times)| times).sum()
}

impl KeySetChecker {
    /// Which set is there, whole.
    fn version(&self, root: &Path) -> Step<usize> {
        let kept = security(root, "key_set.json")?;
        let place = self.texts.iter().position(|text| kept["text"] == text.as_str());
        place.map(|place| place + 1).ok_or_else(|| Finding::Third(format!("a set that nobody has made: {kept}")))
    }

    fn look(&self, root: &Path, told: &Told) -> Step<()> {
        let (version, events, state) = (self.version(root)?, events(root)?, root.join("var/lib/gwe"));
        if count(&events, "key_set_changed v1 is in force") != 1 {
            return Err(Finding::Lost(format!("the event of the first set: {events:?}")));
        }
        let path = registry::path(&state);
        let registry = match path.exists() {
            true => registry::parse(&read(&path)?).ok_or(Finding::Third("the registry is damaged".to_string()))?,
            false => registry::Registry::empty(),
        };
        let is_installed = registry.app(APP).is_some();
        if registry.app("old_app").is_some() || (is_installed && version == 1) {
            return Err(Finding::Third("an app is installed that no key lets in".to_string()));
        }
        let changed = count(&events, "key_set_changed v2 is in force");
        let refused = count(&events, "revoked_key old_app.v1.tar.gz: ");
        for (end, is_so) in ENDS.iter().zip([version == 2 && changed == 1, is_installed, refused > 0]) {
            if is_told(told, end) && !is_so {
                return Err(Finding::Lost(format!("it was reported, and is not so: {end}")));
            }
        }
        if told.engine_fetch.is_empty() && version == 1 {
            is_pending(root, SET)?;
        }
        if told.engine_fetch.is_empty() && !is_installed {
            is_pending(root, LET_IN)?;
        }
        Ok(())
    }

    fn end(&self, root: &Path, server: &Server) -> Step<()> {
        let told = server.told();
        let lines = told.reports.iter().flat_map(|report| report.lines()).filter(|line| line.starts_with("[gwe] "));
        if let Some(line) = lines.into_iter().find(|line| !ENDS.iter().any(|end| line.starts_with(end))) {
            return Err(Finding::Third(format!("reported: {line}")));
        }
        self.look(root, &told)?;
        let events = events(root)?;
        if count(&events, "key_set_changed v2") != 1 || events.len() != 3 {
            return Err(Finding::Third(format!("the events: {events:?}")));
        }
        nothing_left(&root.join("var/lib/gwe/downloads"))
    }

    fn boot_and_go_on(&self, state: &CrashState, told: &Told) -> Outcome<Step<()>> {
        let server = Server::on_copy(&server_data(&self.notes), &self.scratch.path("server"))?;
        server.is_at(told);
        let _boot = Boot::up(state.root, &server.source(), None)?;
        if let Err(finding) = until_told(state.root, &server)? {
            return Ok(Err(finding));
        }
        if let Err(finding) = self.end(state.root, &server) {
            return Ok(Err(finding));
        }
        let back = Agent::on(state.root)?.gwe(&["--install-apps", &old_package(&self.notes).to_string_lossy()]);
        let is_refused =
            back.code != Some(0) && back.stdout.contains("it goes back: v2 of the set of keys is in force");
        Ok(if is_refused { Ok(()) } else { Err(Finding::Third(format!("the old set comes back:\n{}", back.report()))) })
    }
}

impl Checker for KeySetChecker {
    fn check(&mut self, state: &CrashState) -> Outcome<Finding> {
        let told = Told::at(state.past).unwrap_or_else(|| self.before.clone());
        if let Err(finding) = self.look(state.root, &told) {
            return Ok(finding);
        }
        Ok(self.boot_and_go_on(state, &told)?.err().unwrap_or(Finding::Sound))
    }
}
