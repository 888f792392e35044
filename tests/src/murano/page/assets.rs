//! The page's files, as they were built by `make page` before this program was.

use crate::murano::http::response::{Payload, Response};

/// Name and bytes of each; empty where there was no Node.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What stands in its place.
const NOT_BUILT_IN: &str = "murano serves the Device API here.\n\n\
    The page is not built into this murano: there was no Node.js when it was built. With Node.js 20 and npm: make page\n";

/// Whether there is a page to show.
pub fn is_built_in() -> bool {
    !FILES.is_empty()
}

/// The page itself, or the sentence that it is not there.
pub fn index() -> Response {
    file("index.html").unwrap_or_else(|| Response::text(200, NOT_BUILT_IN))
}

/// A file of the page.
pub fn file(name: &str) -> Option<Response> {
    let (_, bytes) = FILES.iter().find(|(known, _)| *known == name)?;
    let mut response = Response::empty(200);
    response.body = Payload::Bytes(bytes.to_vec());
    Some(response.with("Content-Type", content_type(name)))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ => "application/octet-stream",
    }
}
