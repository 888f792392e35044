//! What the allocator keeps: one heap for all threads, and what was used once and is free again.

/// Has all threads use one heap. Each thread would get one of its own otherwise, a reservation of 64 MB and a few dozen kB that stay
/// touched, for the few bytes that a connection's thread allocates. To be called first.
pub fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a call without pointers.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

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
