//! Another program on the gateway, which syncs a file of its own again and again. So what others have written and not synced
//! reaches the medium now and then, in part: as it does on a gateway, where no program is alone.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// From one sync to the next.
const PERIOD: Duration = Duration::from_millis(20);

/// It ends when dropped.
#[derive(Debug)]
pub struct Neighbour {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Neighbour {
    /// Starts it on the disk that is mounted at `root`.
    pub fn start(root: &Path) -> Neighbour {
        let (stop, path) = (Arc::new(AtomicBool::new(false)), root.join("neighbour"));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            while !stopped.load(SeqCst) {
                // Whether it can write is its own affair.
                let _ = File::create(&path).and_then(|mut file| file.write_all(b"again").and(file.sync_all()));
                thread::sleep(PERIOD);
            }
        });
        Neighbour { stop, thread: Some(thread) }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
