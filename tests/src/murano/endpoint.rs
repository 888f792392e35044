//! The calls of the Device API, told apart by method, path and query.

use super::http::form;
use super::http::request::Request;

/// A call of the Device API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// `POST /provision/activate`
    Activate,
    /// `POST /onep:v1/stack/alias`
    Write,
    /// `GET /onep:v1/stack/alias?…`
    Read,
    /// `POST /onep:v1/stack/alias?…`
    Hybrid,
    /// A read with `Request-Timeout`.
    Poll,
    /// `POST /onep:v1/stack/record`, or the older `/onep:v1/stack/alias/<alias>`
    Record,
    /// `GET /provision/download` without an id
    List,
    /// `GET /provision/download?id=…&info=true`
    Info,
    /// `GET /provision/download?id=…`
    Download,
    /// `GET /timestamp`
    Timestamp,
    /// What the API does not have.
    Unknown,
}

/// Every endpoint with its name, as faults and the request log use it.
pub const NAMES: [(Endpoint, &str); 11] = [
    (Endpoint::Activate, "activate"),
    (Endpoint::Write, "write"),
    (Endpoint::Read, "read"),
    (Endpoint::Hybrid, "hybrid"),
    (Endpoint::Poll, "poll"),
    (Endpoint::Record, "record"),
    (Endpoint::List, "list"),
    (Endpoint::Info, "info"),
    (Endpoint::Download, "download"),
    (Endpoint::Timestamp, "timestamp"),
    (Endpoint::Unknown, "unknown"),
];

/// The two spellings of the dataports' path.
const STACK: [&str; 2] = ["/onep:v1/stack/", "/api:v1/stack/"];

impl Endpoint {
    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(endpoint, _)| *endpoint == self).map_or("unknown", |(_, name)| name)
    }

    /// The endpoint of this name.
    pub fn by_name(name: &str) -> Option<Endpoint> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(endpoint, _)| *endpoint)
    }

    /// Which call a request makes.
    pub fn of(request: &Request) -> Endpoint {
        let stack = STACK.iter().find_map(|root| request.path().strip_prefix(root));
        let has_query = !request.query().is_empty();
        match (request.method.as_str(), stack, request.path()) {
            ("GET", Some("alias"), _) if request.header("request-timeout").is_some() => Endpoint::Poll,
            ("GET", Some("alias"), _) => Endpoint::Read,
            ("POST", Some("alias"), _) if has_query => Endpoint::Hybrid,
            ("POST", Some("alias"), _) => Endpoint::Write,
            ("POST", Some("record"), _) => Endpoint::Record,
            ("POST", Some(rest), _) if rest.starts_with("alias/") => Endpoint::Record,
            ("POST", None, "/provision/activate") => Endpoint::Activate,
            ("GET", None, "/provision/download") => Endpoint::of_content(request.query()),
            ("GET", None, "/timestamp") => Endpoint::Timestamp,
            _ => Endpoint::Unknown,
        }
    }

    fn of_content(query: &str) -> Endpoint {
        let query = form::pairs(query);
        match (form::value(&query, "id"), form::value(&query, "info")) {
            (_, Some("true")) => Endpoint::Info,
            (Some(_), _) => Endpoint::Download,
            (None, _) => Endpoint::List,
        }
    }
}

/// The alias that the older form of `record` names in its path.
pub fn alias_in_path(path: &str) -> Option<String> {
    let rest = STACK.iter().find_map(|root| path.strip_prefix(root))?;
    rest.strip_prefix("alias/").map(form::decode)
}
