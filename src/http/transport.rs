//! One HTTP request, whole or an error: the only use of minreq.
//!
//! minreq speaks plain HTTP over a connection that is ours, and in TLS where the URL says so ([`relay`](super::relay)). What it does not see to is seen to
//! here (docs/spec/device-api.md, "What minreq 3.0.0 does"): no redirects, bounded heads and bodies, bodies counted against
//! their length, a cut told from an end, no control characters in what is sent.

use std::cell::Cell;
use std::io::{self, Read};
use std::net::IpAddr;

use super::account::RelayAccount;
use super::connect;
use super::error::TransportError;
use super::framing::MAX_HEAD;
use super::link::Link;
use super::month::Budget;
use super::outcome;
use super::pace;
use super::proxy::{self, BadProxy, Proxy};
use super::received::{HttpHead, Received, TransportFault};
use super::relay::Relay;
use super::resolve;
use super::roots::{self, Roots};
use super::route::Route;
use super::tls::{self, Session};
use super::url::BaseUrl;
use super::usage;
use super::watchdog::TimeLimits;
use super::wire::Wire;
use super::Settings;
use crate::sys::{net, socket};

/// Bytes read from minreq at a time; above its own buffer, so that they are not copied twice.
const PART: usize = 32 * 1024;
/// The longest target of a redirection that is told, in characters: signed ones are long.
const MAX_TARGET: usize = 4096;
/// The longest request body, in bytes.
pub(crate) const MAX_REQUEST: usize = 1024 * 1024;

/// A request to the server.
pub(crate) struct HttpRequest<'a> {
    /// Path and query, encoded.
    pub path: &'a str,
    pub method: Method,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Option<&'a str>,
    pub limits: TimeLimits,
}

/// What is done with what is at the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    #[cfg_attr(not(feature = "ddi"), allow(dead_code))]
    Put,
}

/// Takes an answer in as it comes.
pub(crate) trait Receiver {
    /// Sees over which link the request would go, before anything is sent.
    fn connected(&mut self, _route: Route) -> io::Result<()> {
        Ok(())
    }
    /// Sees the head, and says how long the body may be in bytes.
    fn head(&mut self, head: &HttpHead, length: Option<u64>) -> Result<u64, Box<TransportError>>;
    /// Takes the next bytes of the body.
    fn body(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// What of a request is accounted for.
struct Tally {
    local: Option<IpAddr>,
    /// Bytes received.
    told: u64,
}

/// Talks to one server.
pub(crate) struct Transport {
    base: BaseUrl,
    settings: Settings,
    /// Where TLS is spoken.
    roots: Option<Roots>,
    /// The way that the last connection went.
    route: Cell<Option<Route>>,
}

/// minreq's own deadline, which leaks threads.
const MINREQ_TIMEOUT: &str = "MINREQ_TIMEOUT";

impl Transport {
    pub(crate) fn new(settings: Settings) -> Result<Transport, Box<TransportError>> {
        let base =
            BaseUrl::parse(&settings.server).map_err(|why| TransportError::Server(settings.server.clone(), why))?;
        if base.https && !tls::IS_THERE {
            return Err(TransportError::NoTls(base.authority()).into());
        }
        if !is_header_value(&settings.user_agent) {
            return Err(TransportError::Request("User-Agent").into());
        }
        if !base.https && !base.is_loopback() {
            crate::warning!("{} is spoken to without TLS: anybody on the way can read and change it", base.authority());
        }
        if std::env::var_os(MINREQ_TIMEOUT).is_some() {
            std::env::remove_var(MINREQ_TIMEOUT);
        }
        let roots = if base.https { Some(roots::choose(settings.cacert.as_deref())?) } else { None };
        Ok(Transport { base, settings, roots, route: Cell::new(None) })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn host(&self) -> String {
        self.base.authority()
    }

    /// Sends a request and passes the whole answer to `receiver`, within the limits.
    ///
    /// # Errors
    /// Whatever kept the whole answer from coming; the receiver may have got a part of it.
    pub(crate) fn exchange(
        &self,
        request: &HttpRequest<'_>,
        receiver: &mut dyn Receiver,
    ) -> Result<HttpHead, Box<TransportError>> {
        check(request)?;
        let (remote, before) = self.connect()?;
        let route = Route::of(&remote);
        self.route.set(route);
        route.map_or(Ok(()), |route| receiver.connected(route)).map_err(TransportError::Sink)?;
        let mut tally = Tally { local: route.map(|route| route.local), told: 0 };
        if let Some(ahead) = request.limits.rate.and_then(pace::ahead) {
            socket::limit_ahead(&remote, ahead);
        }
        let link = self.link(remote)?;
        let relay = Relay::start(link, request.limits).map_err(|e| TransportError::Local(e.to_string()))?;
        let result = self.speak(&relay, request, receiver, &mut tally);
        let mut account = relay.finish();
        account.rx += before.0;
        account.tx += before.1;
        self.account_for(&tally, &account);
        outcome::judge(&self.base, result, &account)
    }

    /// The way that the last connection went.
    pub(crate) fn route(&self) -> Option<Route> {
        self.route.get()
    }

    /// The way that a connection would go, by this machine's routes: nothing is sent, but to a name server.
    #[cfg_attr(not(feature = "ddi"), allow(dead_code))]
    pub(crate) fn foresee(&self) -> Option<Route> {
        let proxy = self.proxy().ok()?;
        let (host, port) = proxy.as_ref().map_or((&self.base.host, self.base.port), |p| (&p.host, p.port));
        let peer = resolve::resolve(host, port).ok()?.first()?.ip().to_canonical();
        Some(Route { local: net::source_for(peer)?, peer })
    }

    fn link(&self, stream: std::net::TcpStream) -> Result<Link, Box<TransportError>> {
        // Small writes (a request, a handshake) must not wait for each other's acknowledgement.
        stream.set_nodelay(true).map_err(|e| TransportError::Connect(self.host(), e))?;
        let wire = Wire::new(stream);
        match &self.roots {
            None => Ok(Link::Plain(wire)),
            Some(roots) => match Session::new(wire, &self.base.host, roots) {
                Ok(session) => Ok(Link::Tls(Box::new(session))),
                Err(why) => Err(outcome::no_tls(self.host(), why).into()),
            },
        }
    }

    /// Whether somebody on the way may answer in the server's place.
    pub(crate) fn is_exposed(&self) -> bool {
        let is_here = self.base.is_loopback() && matches!(self.proxy(), Ok(None));
        !(self.base.https || is_here)
    }

    fn proxy(&self) -> Result<Option<Proxy>, BadProxy> {
        let variable = |name: &str| std::env::var(name).ok();
        proxy::choose(self.base.https, &self.base.host, &variable)
    }

    /// A connection to the server, through the proxy where there is one; and the bytes received and sent on the way.
    fn connect(&self) -> Result<(std::net::TcpStream, (u64, u64)), Box<TransportError>> {
        let base = &self.base;
        let proxy = self.proxy().map_err(|bad| {
            TransportError::Proxy(format!("in the variable {}", bad.0), format!("cannot be used: {}", bad.1))
        })?;
        let (host, port) = proxy.as_ref().map_or((&base.host, base.port), |p| (&p.host, p.port));
        let failed = |e: TransportError| match &proxy {
            Some(proxy) => TransportError::Proxy(proxy.to_string(), outcome::cannot_be_reached(&e)),
            None => e,
        };
        let addresses = resolve::resolve(host, port).map_err(|e| failed(outcome::unresolved(host, e)))?;
        let mut stream = connect::connect(&addresses, self.settings.connect_limit)
            .map_err(|e| failed(TransportError::Connect(base.authority(), e)))?;
        let spent = match &proxy {
            Some(proxy) => self.tunnel(&mut stream, proxy)?,
            None => (0, 0),
        };
        Ok((stream, spent))
    }

    fn tunnel(&self, stream: &mut std::net::TcpStream, proxy: &Proxy) -> Result<(u64, u64), Box<TransportError>> {
        let limit = self.settings.total_limit.min(proxy::LIMIT);
        proxy::tunnel(stream, proxy, &self.base.host, self.base.port, limit)
            .map_err(|e| TransportError::Proxy(proxy.to_string(), outcome::no_way_through(&e, self.base.port)).into())
    }

    /// minreq's part.
    fn speak(
        &self,
        relay: &Relay,
        request: &HttpRequest<'_>,
        receiver: &mut dyn Receiver,
        tally: &mut Tally,
    ) -> Result<Received, TransportFault> {
        let method = match request.method {
            Method::Get => minreq::Method::Get,
            Method::Post => minreq::Method::Post,
            Method::Put => minreq::Method::Put,
        };
        let proxy = minreq::Proxy::new(relay.proxy_url()).map_err(|e| TransportFault::Minreq(e.to_string()))?;
        // The relay bounds the head. minreq's own limit can be made to wrap around by a line of the right length.
        let mut message = minreq::Request::new(method, self.base.url(request.path))
            .with_proxy(proxy)
            .with_follow_redirects(false)
            .with_max_headers_size(None)
            .with_max_status_line_length(None)
            .with_header("User-Agent", self.settings.user_agent.as_str());
        for (name, value) in request.headers {
            message = message.with_header(*name, *value);
        }
        if let Some(body) = request.body {
            message = message.with_body(body);
        }
        let response = message.send_lazy().map_err(|e| TransportFault::Minreq(e.to_string()))?;
        self.read(relay, response, receiver, tally)
    }

    fn read(
        &self,
        relay: &Relay,
        mut response: minreq::ResponseLazy,
        receiver: &mut dyn Receiver,
        tally: &mut Tally,
    ) -> Result<Received, TransportFault> {
        // minreq makes up a status 503 where there is none.
        if response.reason_phrase == "Server did not provide a status line" {
            return Err(TransportFault::Nothing);
        }
        let head = HttpHead { status: response.status_code, headers: std::mem::take(&mut response.headers) };
        let malformed = |how: String| TransportError::Malformed(self.host(), how);
        let length = head.length().map_err(malformed)?;
        let has_body = self.has_body(&head)?;
        let limit = receiver.head(&head, length)?;
        if length.is_some_and(|length| has_body && length > limit) {
            return Err(TransportError::TooLarge(self.host(), "body", limit).into());
        }
        let mut bytes = 0;
        let mut part = vec![0; if has_body { PART } else { 0 }];
        while has_body && length != Some(bytes) {
            relay.is_busy(false);
            let n = match response.read(&mut part) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(TransportFault::Minreq(e.to_string())),
            };
            relay.is_busy(true);
            bytes += n as u64;
            if bytes > limit {
                return Err(TransportError::TooLarge(self.host(), "body", limit).into());
            }
            receiver.body(part.get(..n).unwrap_or(&[])).map_err(TransportError::Sink)?;
            relay.consumed(bytes);
            self.account_for_part(tally, bytes);
        }
        match length {
            Some(length) if has_body && bytes < length => Err(TransportFault::Short(bytes, length)),
            _ => Ok(Received { head, bytes }),
        }
    }

    /// Whether a body follows; a redirect, and a status that ends no request, are errors.
    fn has_body(&self, head: &HttpHead) -> Result<bool, Box<TransportError>> {
        match head.status {
            204 | 304 => Ok(false),
            200..=299 | 400..=599 => Ok(true),
            status @ 300..=399 => {
                let target = head.header("location").unwrap_or("nowhere").chars().take(MAX_TARGET).collect();
                Err(TransportError::Redirect(self.host(), status, target).into())
            }
            status => Err(TransportError::Malformed(self.host(), format!("its status is {status}")).into()),
        }
    }

    fn account_for(&self, tally: &Tally, account: &RelayAccount) {
        let Settings { usage_log, consumer, budget, .. } = &self.settings;
        if account.rx + account.tx > 0 {
            usage::record(usage_log, consumer, tally.local, tally.told, account.rx, account.tx);
            budget.iter().for_each(Budget::note);
        }
    }

    /// A power cut, or a kill, must not cost the account of all that a long download has brought.
    fn account_for_part(&self, tally: &mut Tally, bytes: u64) {
        let Settings { usage_log, consumer, budget: Some(budget), .. } = &self.settings else { return };
        if bytes - tally.told >= budget.part() {
            usage::record_part(usage_log, consumer, tally.local, bytes - tally.told);
            tally.told = bytes;
            budget.note();
        }
    }
}

/// Nothing of a request may end its line early: it would become another request's.
fn check(request: &HttpRequest<'_>) -> Result<(), Box<TransportError>> {
    let is_path = request.path.starts_with('/') && request.path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    let is_header = |(name, value): &(&str, &str)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && is_header_value(value)
    };
    if !is_path || request.path.len() > MAX_HEAD {
        Err(TransportError::Request("path").into())
    } else if !request.headers.iter().all(is_header) {
        Err(TransportError::Request("headers").into())
    } else if request.body.is_some_and(|body| body.len() > MAX_REQUEST) {
        Err(TransportError::Request("body, of more than 1048576 bytes,").into())
    } else {
        Ok(())
    }
}

fn is_header_value(value: &str) -> bool {
    value.len() <= MAX_HEAD / 8 && !value.bytes().any(|b| b.is_ascii_control())
}
