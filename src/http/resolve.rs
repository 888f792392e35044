//! Names to addresses, in bounded time.
//!
//! `getaddrinfo` takes as long as it likes. It runs in a helper thread, of which this process has one at the most: while
//! one is stuck, further lookups fail at once (docs/spec/failures.md, row 2). No thread is started for an address in digits.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A name may take so long: a resolver whose first server is dead asks the second one after 5 seconds.
pub(crate) const LIMIT: Duration = Duration::from_secs(15);
/// So many addresses of a name are tried.
pub(crate) const MAX_ADDRESSES: usize = 8;
/// `getaddrinfo` keeps its buffers on the stack.
const STACK: usize = 256 * 1024;

/// Whether a lookup of this process is still under way.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Why a name has no address.
#[derive(Debug)]
pub(crate) enum ResolveError {
    /// The resolver did not answer in time.
    Silent(Duration),
    /// An earlier lookup still waits for the resolver.
    StillSilent,
    /// The resolver says so.
    Failed(io::Error),
    /// The name exists and has no address.
    NoAddress,
}

/// The addresses of `host`, in the resolver's order of preference.
pub(crate) fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let host = host.to_string();
    bounded(&BUSY, LIMIT, move || {
        Ok((host.as_str(), port).to_socket_addrs()?.take(MAX_ADDRESSES).collect::<Vec<SocketAddr>>())
    })
}

/// Where the helper leaves its answer.
#[derive(Default)]
struct Slot {
    answer: Mutex<Option<io::Result<Vec<SocketAddr>>>>,
    came: Condvar,
}

/// Runs a lookup in a thread unless the one before it is still running.
fn bounded(
    busy: &'static AtomicBool,
    limit: Duration,
    lookup: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> Result<Vec<SocketAddr>, ResolveError> {
    if busy.swap(true, Ordering::AcqRel) {
        return Err(ResolveError::StillSilent);
    }
    let slot = Arc::new(Slot::default());
    let theirs = slot.clone();
    let helper = thread::Builder::new().name("resolver".to_string()).stack_size(STACK).spawn(move || {
        let result = lookup();
        busy.store(false, Ordering::Release);
        // Nobody waits any more where the limit has passed.
        *theirs.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        theirs.came.notify_one();
    });
    if let Err(e) = helper {
        busy.store(false, Ordering::Release);
        return Err(ResolveError::Failed(e));
    }
    let answer = slot.answer.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = slot.came.wait_timeout_while(answer, limit, |answer| answer.is_none());
    let (mut answer, _) = waited.unwrap_or_else(PoisonError::into_inner);
    match answer.take() {
        Some(Ok(addresses)) if addresses.is_empty() => Err(ResolveError::NoAddress),
        Some(Ok(addresses)) => Ok(addresses),
        Some(Err(e)) => Err(ResolveError::Failed(e)),
        None => Err(ResolveError::Silent(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn digits_and_local_names_resolve() {
        assert_eq!(resolve("127.0.0.1", 80).unwrap(), ["127.0.0.1:80".parse().unwrap()]);
        // Another test's lookup may be under way.
        for _ in 0..100 {
            match resolve("localhost", 8080) {
                Err(ResolveError::StillSilent) => thread::sleep(Duration::from_millis(10)),
                other => {
                    assert!(other.unwrap().iter().all(|a| a.ip().is_loopback() && a.port() == 8080));
                    return;
                }
            }
        }
        panic!("the resolver stayed busy");
    }

    #[test]
    fn a_dead_resolver_holds_one_thread_and_later_lookups_fail_at_once() {
        // minreq#52: a lookup without an end starves the agent; each try must not leave a thread behind.
        static STUCK: AtomicBool = AtomicBool::new(false);
        let (release, held) = mpsc::channel::<()>();
        let first = bounded(&STUCK, Duration::from_millis(20), move || {
            let _ = held.recv();
            Ok(Vec::new())
        });
        assert!(matches!(first, Err(ResolveError::Silent(_))), "{first:?}");
        for _ in 0..100 {
            let next = bounded(&STUCK, Duration::from_secs(60), || panic!("a second thread was started"));
            assert!(matches!(next, Err(ResolveError::StillSilent)), "{next:?}");
        }
        drop(release);
        for _ in 0..1000 {
            if let Err(ResolveError::NoAddress) = bounded(&STUCK, Duration::from_secs(5), || Ok(Vec::new())) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the resolver answered, and lookups still fail");
    }
}
