//! Why no whole answer came: each error says what happened, to what, and what to do next.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// No whole answer came. Nothing here is an answer of the server. In a box wherever it is handed up: each function would move all of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// The base URL cannot be used: URL, what is wrong with it.
    Server(String, &'static str),
    /// An https URL, and this build has no TLS: host.
    NoTls(String),
    /// The CA bundle of the `cacert` setting cannot be read, or holds no certificates.
    Roots {
        /// The bundle.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A request that would break the protocol: which part.
    Request(&'static str),
    /// The name has no address: host, reason.
    Resolve(String, String),
    /// No address of the host takes connections: host, what the last one said.
    Connect(String, io::Error),
    /// The environment's proxy gives no way through: the proxy (or its variable), reason.
    Proxy(String, String),
    /// The server is not who it should be, or no TLS came about.
    Tls {
        /// The server.
        host: String,
        /// What the library said.
        why: String,
        /// Whether the system's clock is the likely reason.
        is_clock: bool,
    },
    /// The server was silent: host, for how long.
    Stalled(String, Duration),
    /// The server sent too little in too much time: host.
    TooSlow(String),
    /// The answer took too long: host, how long it was waited for.
    TimedOut(String, Duration),
    /// The connection ended before the answer did: host, what came.
    Truncated(String, String),
    /// The answer is longer than its limit: host, which part, the limit in bytes.
    TooLarge(String, &'static str, u64),
    /// The server answered with a redirection, which is never followed: host, status, target.
    Redirect(String, u16, String),
    /// The answer is no HTTP, or contradicts itself: host, how.
    Malformed(String, String),
    /// A web page came in place of the platform's answer: host.
    LoginPage(String),
    /// This machine's loopback or threads failed: reason.
    Local(String),
    /// Whoever was to take the body failed.
    Sink(io::Error),
}

impl TransportError {
    /// Whether trying again is no use until somebody changes the configuration.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        use TransportError::{NoTls, Request, Roots, Server};
        matches!(self, Server(..) | NoTls(_) | Roots { .. } | Request(_))
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use TransportError::*;
        match self {
            Server(url, why) => {
                write!(f, "the server URL '{url}' has {why}; set one such as https://PRODUCT_ID.m2.exosite.io")
            }
            NoTls(host) => write!(
                f,
                "cannot reach {host}: this program was built without TLS; use an http:// server or a build with TLS"
            ),
            Roots { path, source } => {
                write!(f, "the CA bundle {} cannot be used: {source}; check the setting `cacert`", path.display())
            }
            Request(part) => write!(f, "will not send a request whose {part} would break the protocol"),
            Resolve(host, why) => {
                write!(f, "cannot resolve {host}: {why}; check the network, the name and /etc/resolv.conf")
            }
            Connect(host, e) => write!(f, "cannot connect to {host}: {e}; check the network and the server"),
            Proxy(proxy, why) => write!(f, "the proxy {proxy} {why}"),
            Tls { host, why, is_clock: false } => {
                write!(f, "no TLS with {host}: {why}; check the server and the setting `cacert`")
            }
            Tls { host, why, is_clock: true } => {
                write!(f, "no TLS with {host}: {why}; check the system clock and the server's certificate")
            }
            Stalled(host, time) => write!(f, "{host} was silent for {} s; will have to try again", time.as_secs()),
            TooSlow(host) => write!(f, "{host} sends next to nothing; will have to try again"),
            TimedOut(host, time) => {
                write!(f, "{host} gave no whole answer within {} s; will have to try again", time.as_secs())
            }
            Truncated(host, what) => write!(f, "the answer of {host} was cut short: {what}; will have to try again"),
            TooLarge(host, part, limit) => write!(f, "the {part} of {host}'s answer is longer than {limit} bytes"),
            Redirect(host, status, to) => {
                let to: String = to.chars().take(200).collect();
                write!(f, "{host} answered {status}, to go to '{to}': redirections are not followed; check the server's URL and the network's login page")
            }
            Malformed(host, how) => write!(f, "the answer of {host} makes no sense: {how}"),
            LoginPage(host) => {
                write!(f, "a web page answered in place of {host}: log in to this network, or check the server's URL")
            }
            Local(why) => {
                write!(f, "cannot relay a request on this machine: {why}; check that the loopback interface is up")
            }
            Sink(e) => write!(f, "cannot store what was downloaded: {e}"),
        }
    }
}

impl std::error::Error for TransportError {}
