//! What an entry of a tarball may be at most: known to those who judge it and to the words of the faults.

/// The longest path of an entry, and the longest target of a link, in bytes.
pub const MAX_PATH: usize = 1024;
/// The deepest folder.
pub const MAX_DEPTH: usize = 64;
/// The largest `supervisor.conf`, in bytes.
pub const MAX_CONF: usize = 64 * 1024;
