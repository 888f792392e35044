//! An update over the air, from version 1 of an app to version 2, with the real server and the real supervisord. Acknowledged is
//! what the gateway has told the server: that it took the request, and how the install went.

use super::otau_check::OtauChecker;
use crate::gateway::{lay_out, Agent, Boot, Hosting, SampleApp, Server};
use crate::trouble::{Doing, Outcome};
use crate::witness::Witness;
use crate::workload::{Checker, Workload};
use std::fs;
use std::path::{Path, PathBuf};

/// More check-ins than an update needs.
pub const MAX_CHECK_INS: u32 = 4;

/// The workload.
pub struct Otau;

impl Workload for Otau {
    fn name(&self) -> &'static str {
        "otau"
    }

    /// They mostly wait: for the platform's one write a second, and for the app to settle.
    fn checks_at_a_time(&self) -> u64 {
        12
    }

    fn prepare(&self, root: &Path, notes: &Path) -> Outcome<()> {
        lay_out(root)?;
        let [old, new] = [1, 2].map(SampleApp::version);
        let server = Server::on(&server_data(notes));
        server.murano().upload(&new.tarball_name(), &new.tarball().bytes());
        let agent = Agent::on(root)?;
        let hosting = Hosting::start(root)?;
        let boot = Boot::up(root, &server.url(), Some(hosting.socket()))?;
        let tarball = old.tarball().save(boot.volatile(&old.tarball_name()));
        agent.sure(&["--install-apps", &tarball.to_string_lossy()])?;
        agent.sure(&["--once"])?;
        keep_fragment(root, notes, 1)?;
        hosting.end_all()?;
        server.ask_for(&new.tarball_name());
        Ok(())
    }

    fn work(&self, root: &Path, notes: &Path, witness: &Witness) -> Outcome<()> {
        // A server of its own data: the checks begin with the data from before.
        let server = Server::on_copy(&server_data(notes), &notes.join("server-at-work"))?.watched_by(witness)?;
        let agent = Agent::on(root)?;
        let hosting = Hosting::start(root)?;
        let _boot = Boot::up(root, &server.url(), Some(hosting.socket()))?;
        hosting.boot().map_err(|error| error.to_string())?;
        let mut said = String::new();
        for _ in 0..MAX_CHECK_INS {
            said = agent.sure(&["--once"])?.stderr;
            if !server.told().reports.is_empty() {
                // One more, with nothing to do.
                agent.sure(&["--once"])?;
                keep_fragment(root, notes, 2)?;
                return hosting.end_all();
            }
        }
        Err(format!("version 2 was not installed:\n{said}"))
    }

    fn checker(&self, notes: &Path) -> Outcome<Box<dyn Checker>> {
        Ok(Box::new(OtauChecker::new(notes)?))
    }
}

/// Where the server's data from before the work is.
pub fn server_data(notes: &Path) -> PathBuf {
    notes.join("server")
}

/// The fragment on the disk.
pub fn fragment(root: &Path) -> PathBuf {
    root.join(format!("var/lib/gwe/supervisor.d/{}.conf", SampleApp::NAME))
}

/// Where the fragment of a version is kept to compare with.
pub fn kept_fragment(notes: &Path, version: u64) -> PathBuf {
    notes.join(format!("fragment-{version}"))
}

fn keep_fragment(root: &Path, notes: &Path, version: u64) -> Outcome<()> {
    fs::copy(fragment(root), kept_fragment(notes, version)).map(drop).doing("copy", &fragment(root))
}
