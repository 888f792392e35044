//! gmq, the store-and-forward queue on localhost (docs/spec/gmq.md).

pub mod ask;
pub mod backoff;
pub mod discard;
pub mod forward;
pub mod http;
pub mod identities;
pub mod identity;
pub mod listen;
pub mod nap;
pub mod point;
pub mod server;
pub mod service;
pub mod set_aside;
pub mod settings;
pub mod stamp;
pub mod store;

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Paths;
use crate::sys::file::FileError;
use crate::sys::lock::{self, Lock};

/// Another one that is ending may take so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Keeps all others from writing the queue. `Ok(None)`: a server runs.
///
/// # Errors
/// The lock could not be made.
pub fn lock(paths: &Paths) -> Result<Option<Lock>, FileError> {
    // gwe's lock, which gmq may be the first to make.
    lock::close_folder(&paths.state());
    lock::take(&lock_file(paths), PATIENCE)
}

/// What the lock lies on.
fn lock_file(paths: &Paths) -> PathBuf {
    paths.run().join("gmq.lock")
}
