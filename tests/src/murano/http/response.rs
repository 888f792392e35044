//! An answer, before it is decided how it travels.

use std::fs::File;

/// The body of an answer.
#[derive(Debug)]
pub enum Payload {
    /// In memory.
    Bytes(Vec<u8>),
    /// `length` bytes of a file from `start` on.
    File {
        /// Open for reading.
        file: File,
        /// The first byte.
        start: u64,
        /// How many.
        length: u64,
    },
}

/// Status, headers and body. `Content-Length`, `Date`, `Server` and `Connection` are added when it is sent.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// In the order they are sent.
    pub headers: Vec<(String, String)>,
    /// What follows the head.
    pub body: Payload,
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Payload::Bytes(Vec::new()) }
    }

    /// An answer with a text.
    pub fn text(status: u16, text: impl Into<String>) -> Response {
        let mut response = Response::empty(status);
        response.body = Payload::Bytes(text.into().into_bytes());
        response.with("Content-Type", "text/plain; charset=utf-8")
    }

    /// An answer in JSON.
    pub fn json(value: &serde_json::Value) -> Response {
        let mut response = Response::text(200, value.to_string());
        response.set("Content-Type", "application/json");
        response
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Response {
        self.headers.push((name.to_string(), value.into()));
        self
    }

    /// Replaces a header, or adds it.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_string(), value.into()));
    }

    /// Bytes of the body.
    pub fn length(&self) -> u64 {
        match &self.body {
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::File { length, .. } => *length,
        }
    }

    /// Whether this status can have a body at all.
    pub fn may_have_body(&self) -> bool {
        self.status != 204 && self.status != 304
    }
}

/// The reason phrase of a status.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        413 => "Payload Too Large",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        507 => "Insufficient Storage",
        _ => "Status",
    }
}
