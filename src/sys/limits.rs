//! How many descriptors and processes this process and its children may have.

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Descriptors of a process.
    Files,
    /// Processes of a user.
    Processes,
}

/// Raises the limit to this where it is lower; whether it was.
///
/// # Errors
/// The system does not allow it; the number is what it does allow.
#[allow(clippy::unnecessary_cast)]
pub fn at_least(limit: Limit, wanted: u64) -> Result<bool, u64> {
    let which = match limit {
        Limit::Files => libc::RLIMIT_NOFILE,
        Limit::Processes => libc::RLIMIT_NPROC,
    };
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the record is this function's own.
    if unsafe { libc::getrlimit(which, &mut now) } != 0 {
        return Ok(false);
    }
    // As wide as the system's own: 32 bits on 32-bit machines.
    let wanted = wanted.min(u64::from(u32::MAX)) as libc::rlim_t;
    if now.rlim_cur == libc::RLIM_INFINITY || now.rlim_cur >= wanted {
        return Ok(false);
    }
    let raised = libc::rlimit { rlim_cur: wanted, rlim_max: now.rlim_max.max(wanted) };
    // SAFETY: as above.
    match unsafe { libc::setrlimit(which, &raised) } {
        0 => Ok(true),
        _ => Err(now.rlim_max as u64),
    }
}

/// The user that this process is.
#[must_use]
pub fn is_root() -> bool {
    // SAFETY: no memory.
    unsafe { libc::geteuid() == 0 }
}
