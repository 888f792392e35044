//! What was asked of the server: the last requests one by one, and totals.

use super::endpoint::{Endpoint, NAMES};
use super::http::socket::WireCounts;
use serde_json::{json, Map, Value};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// This many requests are kept; the totals know of all.
pub const MAX_ENTRIES: usize = 10_000;

/// A request to the Device API, as it stands in the log. Requests to the admin API are not logged.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Such as `POST`.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Which call it was.
    pub endpoint: Endpoint,
    /// Of the answer, also where a fault kept it from being sent whole; 0 where the connection was refused.
    pub status: u16,
    /// Head and body, without TLS.
    pub request_bytes: u64,
    /// Head and body as handed to the socket, without TLS; grows while the answer is being sent.
    pub response_bytes: Arc<AtomicU64>,
    /// When the answer was ready.
    pub unix_ms: i64,
    /// The fault that applied.
    pub fault: Option<String>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    /// Of entries that are no longer kept.
    forgotten_request_bytes: u64,
    forgotten_response_bytes: u64,
    by_endpoint: [u64; NAMES.len()],
}

/// The request log. A request is in it before the first byte of its answer is sent.
#[derive(Debug, Default)]
pub struct Journal {
    inner: Mutex<Inner>,
    connections: AtomicU64,
    refused: AtomicU64,
    /// Bytes on the wire.
    pub wire: Arc<WireCounts>,
}

impl Journal {
    /// Counts a connection.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// Counts a connection that a fault refused before anything was read.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Adds a request.
    pub fn add(&self, entry: Entry) {
        let mut inner = self.lock();
        inner.by_endpoint[entry.endpoint as usize] += 1;
        inner.entries.push_back(entry);
        if inner.entries.len() > MAX_ENTRIES {
            if let Some(old) = inner.entries.pop_front() {
                inner.forgotten_request_bytes += old.request_bytes;
                inner.forgotten_response_bytes += old.response_bytes.load(Relaxed);
            }
        }
    }

    /// The requests that are kept, oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.iter().cloned().collect()
    }

    /// How many requests there were of one kind since the start or [`Journal::clear`].
    pub fn count(&self, endpoint: Endpoint) -> u64 {
        self.lock().by_endpoint[endpoint as usize]
    }

    /// Starts over, totals included.
    pub fn clear(&self) {
        *self.lock() = Inner::default();
        let counters = [&self.connections, &self.refused, &self.wire.received, &self.wire.sent];
        counters.into_iter().for_each(|counter| counter.store(0, Relaxed));
    }

    /// `{"totals": {…}, "log": [{…}, …]}`, see tests/README.md.
    pub fn to_json(&self) -> Value {
        let inner = self.lock();
        let request_bytes: u64 = inner.entries.iter().map(|entry| entry.request_bytes).sum();
        let response_bytes: u64 = inner.entries.iter().map(|entry| entry.response_bytes.load(Relaxed)).sum();
        let mut by_endpoint = Map::new();
        for (endpoint, name) in NAMES {
            by_endpoint.insert(name.to_string(), json!(inner.by_endpoint[endpoint as usize]));
        }
        json!({
            "totals": {
                "requests": inner.by_endpoint.iter().sum::<u64>(),
                "by_endpoint": by_endpoint,
                "request_bytes": inner.forgotten_request_bytes + request_bytes,
                "response_bytes": inner.forgotten_response_bytes + response_bytes,
                "connections": self.connections.load(Relaxed),
                "refused": self.refused.load(Relaxed),
                "wire_received": self.wire.received.load(Relaxed),
                "wire_sent": self.wire.sent.load(Relaxed),
            },
            "log": inner.entries.iter().map(Entry::to_json).collect::<Vec<_>>(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn to_json(&self) -> Value {
        json!({
            "method": self.method,
            "target": self.target,
            "endpoint": self.endpoint.name(),
            "status": self.status,
            "request_bytes": self.request_bytes,
            "response_bytes": self.response_bytes.load(Relaxed),
            "unix_ms": self.unix_ms,
            "fault": self.fault,
        })
    }
}
