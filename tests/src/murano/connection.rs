//! One connection, from its first byte to its last: requests in, faults consulted, answers out.

use super::api;
use super::endpoint::Endpoint;
use super::fault::{Applied, Fault, Plan};
use super::http::body::{Body, Conn};
use super::http::date;
use super::http::request::{BadHead, Request};
use super::http::response::Response;
use super::http::send::{self, send, sleep, After, Script};
use super::http::socket::{end, Ending, Stream, Wire};
use super::journal::Entry;
use super::page;
use super::platform::Platform;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, BufReader};
use std::net::TcpStream;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the peer may be silent, or not take what is sent.
const SILENCE: Duration = Duration::from_secs(60);
/// How long to wait for the first bytes of a request, to see whether a connection that is to be refused is for the
/// admin API or the page.
const PEEK: Duration = Duration::from_secs(2);
/// What is left of a body that nobody read is skipped, up to this many bytes, to keep the connection.
const MAX_SKIP: u64 = 4 * 1024 * 1024;

/// Serves a connection until it ends.
pub fn serve(platform: &Platform, tcp: Arc<TcpStream>, tls: Option<Arc<ServerConfig>>) {
    platform.journal.connected();
    let _ = tcp.set_nodelay(true);
    if let Some(ending) = refuse_unread(platform, &tcp, tls.is_some()) {
        platform.journal.refused();
        return end(&tcp, ending);
    }
    let _ = tcp.set_read_timeout(Some(SILENCE));
    let _ = tcp.set_write_timeout(Some(SILENCE));
    let wire = Wire::new(tcp.clone(), platform.journal.wire.clone());
    let stream: Box<dyn Stream> = match tls {
        None => Box::new(wire),
        Some(config) => match ServerConnection::new(config) {
            Ok(session) => Box::new(StreamOwned::new(session, wire)),
            Err(_) => return,
        },
    };
    let mut conn = BufReader::new(stream);
    let after = loop {
        match next_request(platform, &mut conn) {
            Ok(After::KeepOpen) => {}
            Ok(after) => break after,
            Err(_) => break After::Close,
        }
    };
    match after {
        After::Cut(ending) => end(&tcp, ending),
        After::KeepOpen | After::Close => {
            conn.get_mut().say_goodbye();
            end(&tcp, Ending::Fin);
        }
    }
}

/// Whether a fault refuses this connection before anything is read. The admin API and the page are spared, or the fault could not be
/// switched off: for that, the first bytes are looked at while they stay in the socket.
fn refuse_unread(platform: &Platform, tcp: &TcpStream, tls: bool) -> Option<Ending> {
    if !platform.faults.may_refuse() || (!tls && is_for_people(tcp)) {
        return None;
    }
    match platform.faults.refuse_any()?.fault {
        Fault::Refuse(ending) => Some(ending),
        _ => None,
    }
}

fn is_for_people(tcp: &TcpStream) -> bool {
    let until = Instant::now() + PEEK;
    let _ = tcp.set_read_timeout(Some(PEEK));
    let mut first = [0; 32];
    while let Ok(count @ 1..) = tcp.peek(&mut first) {
        let text = String::from_utf8_lossy(&first[..count]);
        if text.contains(" /admin/") || text.contains(" /page/") || text.contains(" / ") {
            return true;
        }
        if count >= 16 || text.contains('\n') || Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// Reads a request and answers it.
fn next_request(platform: &Platform, conn: &mut Conn) -> io::Result<After> {
    let request = match Request::read(conn) {
        Ok(request) => request,
        Err(BadHead::Gone) => return Ok(After::Close),
        Err(BadHead::Malformed(why)) => return reject(platform, conn, why),
    };
    if request.path().starts_with("/admin/") || page::owns(request.path()) {
        return for_people(platform, conn, &request);
    }
    let endpoint = Endpoint::of(&request);
    let applied = platform.faults.take(endpoint);
    let mut plan = applied.as_ref().map(|applied| Plan::of(&applied.fault)).unwrap_or_default();
    let mut entry = entry(&request, endpoint, applied);
    if let Some(ending) = plan.refuse {
        platform.journal.add(entry);
        return Ok(After::Cut(ending));
    }
    sleep(platform.options.latency + plan.delay, &platform.stop);
    let mut body = match Body::new(conn, &request) {
        Ok(body) => body,
        Err(why) => return reject(platform, conn, why),
    };
    let mut response = match plan.instead.take() {
        Some(response) => response,
        None => api::answer(platform, endpoint, &request, &mut body, &plan),
    };
    plan.alter(&mut response);
    let keep_alive = body.discard(MAX_SKIP) && request.keep_alive();
    entry.request_bytes = request.head_bytes + body.wire_bytes;
    entry.status = response.status;
    entry.unix_ms = date::now_ms();
    let count = entry.response_bytes.clone();
    platform.journal.add(entry);
    match plan.lose_reply {
        Some(ending) => Ok(After::Cut(ending)),
        None => respond(platform, conn, response, &plan.script, &count, keep_alive),
    }
}

fn entry(request: &Request, endpoint: Endpoint, applied: Option<Applied>) -> Entry {
    Entry {
        method: request.method.clone(),
        target: request.target.clone(),
        endpoint,
        status: 0,
        request_bytes: request.head_bytes,
        response_bytes: Arc::default(),
        unix_ms: date::now_ms(),
        fault: applied.map(|applied| applied.text),
    }
}

/// The admin API and the page: no faults, no log.
fn for_people(platform: &Platform, conn: &mut Conn, request: &Request) -> io::Result<After> {
    let mut body = match Body::new(conn, request) {
        Ok(body) => body,
        Err(why) => return reject(platform, conn, why),
    };
    let response = match page::refusal(platform, request) {
        Some(refusal) => refusal,
        None if page::owns(request.path()) => page::answer(platform, request, &mut body),
        None => api::admin::answer(platform, request, &mut body),
    };
    let keep_alive = body.discard(MAX_SKIP) && request.keep_alive();
    respond(platform, conn, response, &Script::default(), &AtomicU64::new(0), keep_alive)
}

/// What came is no request: says so, and closes.
fn reject(platform: &Platform, conn: &mut Conn, why: &str) -> io::Result<After> {
    let response = Response::text(400, format!("{why}\n"));
    respond(platform, conn, response, &Script::default(), &AtomicU64::new(0), false)
}

fn respond(
    platform: &Platform,
    conn: &mut Conn,
    response: Response,
    script: &Script,
    count: &AtomicU64,
    keep_alive: bool,
) -> io::Result<After> {
    let out = conn.get_mut();
    send(response, script, send::Context { out, count, stop: &platform.stop, keep_alive })
}
