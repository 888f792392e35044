//! An app as they are: files in its own folder, some of them below others, files that its installer puts elsewhere, and a
//! program under supervisord that checks itself when it starts.

use crate::random::Random;
use gwe_tests::harness::{run, Scratch, Tarball};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Bytes of its largest file.
const DATA: usize = 150_000;
/// How many small files it has beside.
const PARTS: usize = 12;
/// How long `sha256sum` may take.
const SUMS_LIMIT: Duration = Duration::from_secs(20);

const INSTALL: &str = r#"#!/bin/sh
set -e
elsewhere="$GWE_ROOT/opt/$GWE_APP_NAME"
mkdir -p "$elsewhere"
echo "$GWE_APP_VERSION" >> "$elsewhere/installs"
rm -rf "$elsewhere/files"
mkdir "$elsewhere/files"
cp -R version data parts "$elsewhere/files"
echo "files of $GWE_APP_VERSION are in place"
"#;

const UNINSTALL: &str = "#!/bin/sh\nrm -rf \"$GWE_ROOT/opt/$GWE_APP_NAME\"\n";

const RUN: &str = r#"#!/bin/sh
sha256sum --status -c sums || { echo "not whole: $(cat version)"; exit 1; }
echo "started $(cat version)"
exec sleep 1000
"#;

const RUN_AND_EXIT: &str = "#!/bin/sh\necho \"not started $(cat version)\"\nexit 1\n";

/// From its folder, six up to the gateway's root: see `taken_down`.
const RUN_AND_TAKE_DOWN: &str = r#"#!/bin/sh
sha256sum --status -c sums || { echo "not whole: $(cat version)"; exit 1; }
number=../../../../../../run/agent.pid
while [ ! -s $number ]; do sleep 0.01; done
kill -9 "$(cat $number)"
exec sleep 1000
"#;

const SUPERVISOR_CONF: &str =
    "[supervisord]\ncommand = ./run.sh\nstartsecs = 0\nautorestart = false\nredirect_stderr = true\n";

/// One version of it.
#[derive(Debug)]
pub struct SampleApp {
    version: u64,
    /// What its folder holds: path and bytes.
    files: BTreeMap<String, Vec<u8>>,
}

impl SampleApp {
    /// Its name.
    pub const NAME: &'static str = "power_app";

    /// The version of that number. Its bytes follow from the number.
    pub fn version(version: u64) -> SampleApp {
        let mut random = Random::of(version, 0);
        let mut bytes = |length: usize| (0..length).map(|_| random.bits() as u8).collect::<Vec<u8>>();
        let mut files = BTreeMap::new();
        files.insert("data".to_string(), bytes(DATA));
        for part in 0..PARTS {
            files.insert(format!("parts/part-{part:02}"), bytes(500 * part));
        }
        files.insert("version".to_string(), format!("v{version}\n").into_bytes());
        files.insert("sums".to_string(), sums(&files).into_bytes());
        for (name, text) in [("install.sh", INSTALL), ("run.sh", RUN), ("supervisor.conf", SUPERVISOR_CONF)] {
            files.insert(name.to_string(), text.into());
        }
        SampleApp { version, files }
    }

    /// The same, but for its program, which ends at once as one that fails does.
    pub fn that_exits(mut self) -> SampleApp {
        self.files.insert("run.sh".to_string(), RUN_AND_EXIT.into());
        self
    }

    /// The same, but for its program, which takes the machine down whenever the agent is at work.
    pub fn that_takes_the_machine_down(mut self) -> SampleApp {
        self.files.insert("run.sh".to_string(), RUN_AND_TAKE_DOWN.into());
        self
    }

    /// The same, and when it is taken away, so is what its installer put elsewhere.
    pub fn that_clears_away(mut self) -> SampleApp {
        self.files.insert("uninstall.sh".to_string(), UNINSTALL.into());
        self
    }

    /// Such as `power_app.v2.tar.gz`.
    pub fn tarball_name(&self) -> String {
        format!("{}.v{}.tar.gz", SampleApp::NAME, self.version)
    }

    /// The tarball.
    pub fn tarball(&self) -> Tarball {
        let mode = |name: &str| if name.ends_with(".sh") { 0o755 } else { 0o644 };
        self.files.iter().fold(Tarball::new(), |tarball, (name, bytes)| tarball.file(name, mode(name), bytes.clone()))
    }

    /// How a folder differs from this version's own; `None` where it does not.
    pub fn differs(&self, folder: &Path) -> Option<String> {
        differences(&self.files, folder)
    }

    /// How what its installer put elsewhere differs from what this version's does.
    pub fn differs_elsewhere(&self, root: &Path) -> Option<String> {
        let is_copied = |name: &str| name == "version" || name == "data" || name.starts_with("parts/");
        let copied = self.files.iter().filter(|(name, _)| is_copied(name));
        let copied = copied.map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
        differences(&copied, &elsewhere(root).join("files"))
    }

    /// How often the installers of all versions have begun.
    pub fn installs(root: &Path) -> usize {
        fs::read_to_string(elsewhere(root).join("installs")).map_or(0, |text| text.lines().count())
    }

    /// The app's log.
    pub fn log(root: &Path) -> String {
        let path = root.join(format!("var/log/{}.log", SampleApp::NAME));
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }

    /// The line in its log with which this version says that it is whole and runs.
    pub fn start_line(&self) -> String {
        format!("started v{}", self.version)
    }
}

fn elsewhere(root: &Path) -> PathBuf {
    root.join("opt").join(SampleApp::NAME)
}

/// What `sha256sum` prints of them.
fn sums(files: &BTreeMap<String, Vec<u8>>) -> String {
    let folder = Scratch::new();
    files.iter().for_each(|(name, bytes)| drop(folder.write(name, bytes)));
    let mut command = Command::new("sha256sum");
    run(command.args(files.keys()).current_dir(folder.root()), SUMS_LIMIT).ok().stdout
}

/// How a folder differs from what it should hold; `None` where it does not.
fn differences(wanted: &BTreeMap<String, Vec<u8>>, folder: &Path) -> Option<String> {
    let mut found = BTreeMap::new();
    if let Err(error) = collect(folder, "", &mut found) {
        return Some(format!("{}: {error}", folder.display()));
    }
    let missing = wanted.keys().find(|name| !found.contains_key(*name)).map(|name| format!("{name} is missing"));
    let extra = found.keys().find(|name| !wanted.contains_key(*name)).map(|name| format!("{name} is too much"));
    let other = wanted.iter().find(|(name, bytes)| found.get(*name) != Some(bytes));
    let other = other.map(|(name, _)| format!("{name} has other bytes"));
    missing.or(extra).or(other).map(|what| format!("{}: {what}", folder.display()))
}

fn collect(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}
