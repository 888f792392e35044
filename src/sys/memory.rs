//! Memory that was used once and is free again.

/// Gives free memory back to the system. The allocator keeps what a burst needed otherwise, which a process that idles for days
/// would hold for all that time.
pub fn give_back() {
    // Others, musl's among them, either give it back by themselves or cannot be asked to.
    #[cfg(target_env = "gnu")]
    // SAFETY: a call without pointers.
    unsafe {
        libc::malloc_trim(0);
    }
}
