//! A server within the test's own process.

use super::scratch::Scratch;
use crate::murano::client::{Client, Reply, Sent};
use crate::murano::endpoint::Endpoint;
use crate::murano::http::form::encode;
use crate::murano::store::{Kind, Point};
use crate::murano::{Options, Server};
use serde_json::Value;
use std::io;
use std::path::PathBuf;

/// The product that devices of [`Murano::activate`] belong to.
const PRODUCT: &str = "vendor=p&model=p";

/// A server on ports that the system picked, with its data in a scratch folder. It stops when dropped.
#[derive(Debug)]
pub struct Murano {
    // Dropped before the folder.
    server: Server,
    _data: Scratch,
}

impl Murano {
    /// Any serial number may activate; plain HTTP.
    #[track_caller]
    pub fn start() -> Murano {
        Murano::with(|_| {})
    }

    /// The same, with HTTPS beside it.
    #[track_caller]
    pub fn with_tls() -> Murano {
        Murano::with(|options| options.tls_listen = Some("127.0.0.1:0".to_string()))
    }

    /// The same, with other options.
    #[track_caller]
    pub fn with(change: impl FnOnce(&mut Options)) -> Murano {
        let data = Scratch::new();
        let mut options = Options::new(data.path("murano"));
        options.open = true;
        change(&mut options);
        let server = Server::start(options).unwrap_or_else(|error| panic!("no murano: {error}"));
        Murano { server, _data: data }
    }

    /// Such as `http://127.0.0.1:40000`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Such as `https://127.0.0.1:40001`; panics if it was started without TLS.
    #[track_caller]
    pub fn tls_url(&self) -> String {
        self.server.tls_url().expect("this murano was started without TLS")
    }

    /// The CA that signed its certificate, in PEM.
    pub fn ca_certificate(&self) -> PathBuf {
        self.server.ca_certificate()
    }

    /// The server itself.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Switches faults on instead of those that are on; see the table in tests/README.md.
    #[track_caller]
    pub fn faults(&self, specs: &[&str]) {
        self.server.platform().faults.set(specs).unwrap_or_else(|why| panic!("{why}"));
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.server.platform().faults.clear();
    }

    /// Puts bytes into the content area.
    #[track_caller]
    pub fn upload(&self, id: &str, bytes: &[u8]) {
        let platform = self.server.platform();
        let result = platform.content.upload(&platform.store, id, "", &mut &bytes[..]);
        result.unwrap_or_else(|error| panic!("cannot upload {id}: {error}"));
    }

    /// What `murano product device write` does: the cloud writes an alias. An unknown serial number becomes known.
    #[track_caller]
    pub fn write(&self, sn: &str, alias: &str, value: &str) {
        let platform = self.server.platform();
        let ts = crate::murano::http::date::now() as f64;
        let point = Point { alias: alias.to_string(), ts, value: value.to_string() };
        let result = platform.store.add_device(sn).and_then(|_| platform.store.store(sn, &[point], Kind::Write));
        result.unwrap_or_else(|error| panic!("cannot write {alias} of {sn}: {error}"));
        platform.announce_change();
    }

    /// What `murano product device read` prints; `None` where the alias is empty.
    #[track_caller]
    pub fn read(&self, sn: &str, alias: &str) -> Option<String> {
        let point = self.server.platform().store.latest(sn, alias);
        let point = point.unwrap_or_else(|error| panic!("cannot read {alias} of {sn}: {error}"));
        point.map(|point| point.value).filter(|value| !value.is_empty())
    }

    /// Every value that an alias ever had, in the order they came.
    pub fn history(&self, sn: &str, alias: &str) -> Vec<String> {
        let state = self.state();
        let points = state["data"][sn][alias].as_array().cloned().unwrap_or_default();
        points.iter().filter_map(|point| point[1].as_str().map(str::to_string)).collect()
    }

    /// What `murano state --json` prints.
    #[track_caller]
    pub fn state(&self) -> Value {
        let state = self.server.platform().store.state();
        state.unwrap_or_else(|error| panic!("no state: {error}"))
    }

    /// What `murano requests --json` prints.
    pub fn requests(&self) -> Value {
        self.server.platform().journal.to_json()
    }

    /// How many requests of one kind there were since the start or [`Murano::forget_requests`].
    pub fn count(&self, endpoint: Endpoint) -> u64 {
        self.server.platform().journal.count(endpoint)
    }

    /// Starts the request log over.
    pub fn forget_requests(&self) {
        self.server.platform().journal.clear();
    }

    /// One request of the Device API, by a client that accepts nothing wrong.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Reply> {
        Client::new(&self.url())?.send(method, target, headers, Sent::Bytes(body.as_bytes()))
    }

    /// Activates a serial number as a device does, and returns its CIK.
    #[track_caller]
    pub fn activate(&self, sn: &str) -> String {
        let body = format!("{PRODUCT}&sn={}", encode(sn));
        let reply = self.request("POST", "/provision/activate", &[], &body);
        let reply = reply.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text()
    }
}
