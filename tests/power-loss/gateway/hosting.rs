//! The real supervisord, which lives outside of the disk under test and hosts what the fragments on it say.

use crate::trouble::Outcome;
use gwe::supervisor::{Supervisor, SupervisorError};
use gwe_tests::harness::{Scratch, Supervisord};
use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long hosted programs may take to end.
const END_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// A supervisord whose programs come and go with the disks.
#[derive(Debug)]
pub struct Hosting {
    // Dropped before its folder.
    supervisord: Supervisord,
    _folder: Scratch,
}

impl Hosting {
    /// Starts it, to host the fragments of the gateway whose disk is, or will be, mounted at `root`.
    pub fn start(root: &Path) -> Outcome<Hosting> {
        Supervisord::find()?;
        let folder = Scratch::new();
        let fragments = format!("{}/var/lib/gwe/supervisor.d/*.conf", root.display());
        let config = Supervisord::plain_config().replace("{root}/conf.d/*.conf", &fragments);
        Ok(Hosting { supervisord: Supervisord::start(&folder, &config), _folder: folder })
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        self.supervisord.socket()
    }

    /// Does what its start at boot does: reads the fragments, and starts what they say.
    pub fn boot(&self) -> Result<(), SupervisorError> {
        let api = self.api();
        api.reload()?.added.iter().try_for_each(|app| api.add(app))
    }

    /// Ends whatever it hosts, so that the disk can be unmounted.
    pub fn end_all(&self) -> Outcome<()> {
        let api = self.api();
        let text = |error: SupervisorError| format!("cannot end what supervisord hosts: {error}");
        let until = Instant::now() + END_LIMIT;
        loop {
            let groups: BTreeSet<String> =
                api.processes().map_err(text)?.into_iter().map(|process| process.group).collect();
            if groups.is_empty() {
                return Ok(());
            }
            for group in &groups {
                // What is still ending cannot be removed yet, what has ended cannot be killed any more.
                let _ = api.kill(group);
                let _ = api.remove(group);
            }
            if Instant::now() > until {
                return Err(format!("supervisord still hosts {groups:?}"));
            }
            thread::sleep(POLL);
        }
    }

    fn api(&self) -> Supervisor<'static> {
        Supervisor::new(self.socket())
    }
}
