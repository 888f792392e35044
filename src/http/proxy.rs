//! The proxy that the environment names, and our own CONNECT through it (FlowFuse/device-agent#268; docs/spec/failures.md, row 3).
//!
//! Variables as curl reads them: `https_proxy`, `HTTPS_PROXY` or, for a plain URL, `http_proxy` (in lower case only: a CGI
//! request can set the other), then `all_proxy`, `ALL_PROXY`; `no_proxy`, `NO_PROXY` list hosts that are reached directly.
//! Only `http://` proxies. A plain URL goes through CONNECT too: the proxy must allow it to that port.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use super::framing::is_interim;
use crate::format::{base64, form, http};
use crate::sys::poll::Watch;

/// A proxy may take so long to answer a CONNECT: it connects on our behalf meanwhile.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// The longest answer to a CONNECT, in bytes, with what the proxy says before it.
const MAX_ANSWER: usize = 8 * 1024;
/// Where a proxy's URL names no port; as curl.
const DEFAULT_PORT: u16 = 1080;

/// A proxy. `Display` never shows its credentials.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub host: String,
    pub port: u16,
    /// `user:password`, decoded.
    credentials: Option<String>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A proxy variable that cannot be used: its name, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadProxy(pub &'static str, pub &'static str);

/// The proxy for a server, if any. `variable` looks up an environment variable.
pub(crate) fn choose(
    https: bool,
    host: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, BadProxy> {
    let own: &[&'static str] = if https { &["https_proxy", "HTTPS_PROXY"] } else { &["http_proxy"] };
    let set = |name: &&'static str| Some((*name, variable(name).filter(|value| !value.trim().is_empty())?));
    let Some((name, value)) = own.iter().chain(&["all_proxy", "ALL_PROXY"]).find_map(set) else { return Ok(None) };
    let exempt = variable("no_proxy").or_else(|| variable("NO_PROXY")).unwrap_or_default();
    if is_exempt(host, &exempt) {
        return Ok(None);
    }
    Proxy::parse(value.trim()).map(Some).map_err(|why| BadProxy(name, why))
}

/// Whether `no_proxy` covers a host: `*`, the name itself, a domain above it (with or without a leading dot), an address,
/// or a network such as `10.0.0.0/8`.
fn is_exempt(host: &str, list: &str) -> bool {
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        if let (Ok(ip), Some((network, bits))) = (host.parse::<IpAddr>(), entry.split_once('/')) {
            return network.parse().is_ok_and(|network| bits.parse().is_ok_and(|bits| is_within(ip, network, bits)));
        }
        let domain = entry.trim_start_matches('.');
        let is_below = || {
            let start = host.len().checked_sub(domain.len()).filter(|start| *start > 0)?;
            let (above, tail) = (host.get(..start)?, host.get(start..)?);
            Some(above.ends_with('.') && tail.eq_ignore_ascii_case(domain))
        };
        entry == "*" || host.eq_ignore_ascii_case(domain) || is_below() == Some(true)
    })
}

fn is_within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(ip) & mask == u32::from(network) & mask
        }
        _ => false,
    }
}

impl Proxy {
    /// `[http://][user[:password]@]host[:port][/]`.
    fn parse(url: &str) -> Result<Proxy, &'static str> {
        let rest = match url.split_once("://") {
            None => url,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err("only http:// proxies are supported"),
        };
        let rest = rest.trim_end_matches('/');
        let (user, address) = match rest.rsplit_once('@') {
            // `+` is no space in the user part of a URL.
            Some((user, address)) => (Some(form::decode(&user.replace('+', "%2B"))), address),
            None => (None, rest),
        };
        // `[::1]:3128`
        let (host, port) = match address.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || !host.bytes().all(|b| b.is_ascii_graphic() && b != b'/') {
            return Err("it names no host");
        }
        let port = match port {
            None | Some("") => DEFAULT_PORT,
            Some(text) => text.parse().map_err(|_| "its port is no number from 1 to 65535")?,
        };
        let credentials = user.map(|u| if u.contains(':') { u } else { u + ":" });
        Ok(Proxy { host: host.to_string(), port, credentials })
    }
}

/// Why a proxy gave no way through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TunnelError {
    /// It answered 407.
    WantsCredentials,
    /// It answered with another status than 2xx.
    Refused(String),
    /// It closed the connection before its answer was complete.
    Closed,
    /// Its answer is no HTTP.
    Garbage,
    /// No complete answer in time.
    Silent,
    /// What the system said.
    Broken(io::ErrorKind),
}

/// Asks the proxy for a way to `host:port`, over a non-blocking connection to it. Returns the bytes received and sent.
pub(crate) fn tunnel(
    stream: &mut TcpStream,
    proxy: &Proxy,
    host: &str,
    port: u16,
    limit: Duration,
) -> Result<(u64, u64), TunnelError> {
    let target = [host, ":", &port.to_string()].concat();
    let mut request = ["CONNECT ", &target, " HTTP/1.1\r\nHost: ", &target, "\r\n"].concat();
    if let Some(credentials) = &proxy.credentials {
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&base64::encode(credentials.as_bytes()));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let deadline = Instant::now() + limit;
    send(stream, request.as_bytes(), deadline)?;
    let received = receive_answer(stream, deadline)?;
    Ok((received as u64, request.len() as u64))
}

fn send(stream: &mut TcpStream, mut bytes: &[u8], deadline: Instant) -> Result<(), TunnelError> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or(&[]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => await_ready(stream, false, deadline)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(broken(&e)),
        }
    }
    Ok(())
}

/// Reads heads until one is the answer's (a proxy may say 100, 102 or 103 before), and judges that; returns how many bytes came.
/// Nothing may follow it: the server speaks only when it is spoken to.
fn receive_answer(stream: &mut TcpStream, deadline: Instant) -> Result<usize, TunnelError> {
    let (mut received, mut answer, mut part) = (0, Vec::new(), [0; 512]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => return Err(TunnelError::Closed),
            Ok(n) => {
                received += n;
                answer.extend_from_slice(part.get(..n).unwrap_or(&[]));
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => await_ready(stream, true, deadline)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(broken(&e)),
        }
        while let Some(end) = http::head_len(&answer) {
            if !status(&answer).is_some_and(is_interim) {
                if end < answer.len() {
                    return Err(TunnelError::Garbage);
                }
                return check(&answer).map(|()| received);
            }
            answer.drain(..end);
        }
        let is_http = b"HTTP/1.".iter().zip(&answer).all(|(want, got)| want == got);
        if !is_http || received > MAX_ANSWER {
            return Err(TunnelError::Garbage);
        }
        // A proxy that drips its answer is never "not ready".
        if Instant::now() >= deadline {
            return Err(TunnelError::Silent);
        }
    }
}

fn status_line(answer: &[u8]) -> String {
    let line = answer.split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    String::from_utf8_lossy(line).into_owned()
}

fn status(answer: &[u8]) -> Option<u16> {
    http::status(&status_line(answer))
}

fn check(answer: &[u8]) -> Result<(), TunnelError> {
    match status(answer) {
        Some(200..=299) => Ok(()),
        Some(407) => Err(TunnelError::WantsCredentials),
        Some(100..=599) => {
            let told = status_line(answer).chars().filter(|c| !c.is_control()).skip(9).take(100).collect();
            Err(TunnelError::Refused(told))
        }
        _ => Err(TunnelError::Garbage),
    }
}

fn await_ready(stream: &TcpStream, read: bool, deadline: Instant) -> Result<(), TunnelError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(TunnelError::Silent);
    }
    let mut watch = Watch::default();
    watch.add(stream, read, !read);
    watch.wait(Some(left)).map_err(|e| broken(&e))
}

fn broken(error: &io::Error) -> TunnelError {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => TunnelError::Closed,
        kind => TunnelError::Broken(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    fn with(pairs: &[(&str, &str)], https: bool, host: &str) -> Result<Option<String>, BadProxy> {
        let look_up = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
        choose(https, host, &look_up).map(|proxy| proxy.map(|p| p.to_string()))
    }

    #[test]
    fn the_environment_chooses_as_curl_does() {
        for (pairs, https, want) in [
            (&[][..], true, None),
            (&[("https_proxy", "http://p:1")][..], true, Some("p:1")),
            (&[("https_proxy", "http://p:1")], false, None),
            (&[("HTTPS_PROXY", "p:2/")], true, Some("p:2")),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "p:2")], true, Some("p:2")),
            (&[("http_proxy", "p")], false, Some("p:1080")),
            (&[("HTTP_PROXY", "evil:1")], false, None),
            (&[("ALL_PROXY", "HTTP://u:s%40@p:3")], false, Some("p:3")),
            (&[("all_proxy", "http://[::1]:3128")], true, Some("::1:3128")),
            (&[("https_proxy", "p:1"), ("no_proxy", "other, example.com")], true, None),
            (&[("https_proxy", "p:1"), ("NO_PROXY", "*")], true, None),
            (&[("https_proxy", "p:1"), ("no_proxy", "ample.com")], true, Some("p:1")),
        ] {
            assert_eq!(with(pairs, https, "gw.example.com"), Ok(want.map(str::to_string)), "{pairs:?}");
        }
        for bad in ["socks5://p:1", "https://p:1", "http://", "http://p:x", "p:99999"] {
            assert_eq!(with(&[("all_proxy", bad)], true, "h").unwrap_err().0, "all_proxy", "{bad}");
        }
    }

    #[test]
    fn exemptions_are_hosts_domains_and_networks() {
        for (host, list, want) in [
            ("a.example.com", ".example.com", true),
            ("a.example.com", "EXAMPLE.com", true),
            ("example.com", ".example.com", true),
            ("badexample.com", "example.com", false),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("11.1.2.3", "10.0.0.0/8", false),
            ("11.1.2.3", "0.0.0.0/0", true),
            ("11.1.2.3", "10.0.0.0/33,11.1.2.3", true),
            ("h", "", false),
        ] {
            assert_eq!(is_exempt(host, list), want, "{host} {list}");
        }
    }

    #[test]
    fn credentials_are_sent_and_never_shown() {
        let proxy = Proxy::parse("http://user:p%40ss+word@host:8").unwrap();
        assert_eq!(proxy.credentials.as_deref(), Some("user:p@ss+word"));
        assert_eq!(format!("{proxy} {proxy:?}"), "host:8 host:8");
        assert_eq!(Proxy::parse("user@host").unwrap().credentials.as_deref(), Some("user:"));
    }

    /// A proxy that reads the request, answers with these bytes and closes.
    fn ask(answer: &[u8]) -> Result<(u64, u64), TunnelError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let answer = answer.to_vec();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = [0; 300];
            let n = client.read(&mut request).unwrap();
            client.write_all(&answer).unwrap();
            String::from_utf8_lossy(&request[..n]).into_owned()
        });
        let proxy = Proxy::parse("u:p@127.0.0.1").unwrap();
        let result = tunnel(&mut stream, &proxy, "h", 443, Duration::from_secs(10));
        let request = server.join().unwrap();
        assert_eq!(request, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n");
        result
    }

    #[test]
    fn whatever_a_proxy_answers_is_an_error_or_a_way_through() {
        // FlowFuse/device-agent#268: a proxy that misbehaves crashed the agent.
        let plain = &b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"[..];
        // docs/spec/failures.md, case 11: what may come before any answer may come before a proxy's, and Latin-1 in it.
        let early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nX: \xb0\r\n\r\nHTTP/1.1 200 OK\r\nX: \xb0\r\n\r\n";
        for good in [plain, early] {
            assert_eq!(ask(good).map(|bytes| bytes.0), Ok(good.len() as u64));
            for cut in 0..good.len() {
                assert_eq!(ask(&good[..cut]), Err(TunnelError::Closed), "closed at byte {cut}");
            }
        }
        assert_eq!(ask(&b"HTTP/1.1 102 P\r\n\r\n".repeat(1000)), Err(TunnelError::Garbage), "an endless prelude");
        assert_eq!(ask(b"HTTP/1.1 407 Auth\r\n\r\n"), Err(TunnelError::WantsCredentials));
        assert_eq!(ask(b"HTTP/1.0 403 No\r\n\r\n"), Err(TunnelError::Refused("403 No".to_string())));
        for garbage in [
            &b"SSH-2.0\r\n\r\n"[..],
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nearly",
            b"HTTP/1.1 200 OK\r\n\r\n\r\n\r\n",
            &[b'H'; 20],
        ] {
            assert_eq!(ask(garbage), Err(TunnelError::Garbage));
        }
        assert_eq!(ask(&[b"HTTP/1.1 200 OK\r\n".to_vec(), vec![b'a'; 9000]].concat()), Err(TunnelError::Garbage));
    }

    #[test]
    fn a_silent_proxy_is_left_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let proxy = Proxy::parse("127.0.0.1").unwrap();
        let result = tunnel(&mut stream, &proxy, "h", 443, Duration::from_millis(50));
        assert_eq!(result, Err(TunnelError::Silent));
    }
}
