//! The page for people: a fleet of gateways in a browser, at `/`. Its files are built in where Node was there at build time
//! (`page/` beside `src/`); what it shows and does is under `/page/api/`, as JSON.

mod api;
mod assets;
mod deploy;
mod guard;
mod summary;

use super::api::{Answer, Refusal};
use super::http::body::Body;
use super::http::form;
use super::http::request::Request;
use super::http::response::Response;
use super::platform::Platform;

pub use assets::is_built_in;
pub use guard::refusal;

/// What a browser may do with the page: run its own script, and nothing from anywhere else. Values of gateways never become
/// markup, and if they did they would be inert.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Whether a path is one of the page's.
pub fn owns(path: &str) -> bool {
    path == "/" || path == "/favicon.ico" || path.starts_with("/page/")
}

/// Answers what the browser asks for.
pub fn answer(platform: &Platform, request: &Request, body: &mut Body) -> Response {
    let mut response = route(platform, request, body).unwrap_or_else(|refusal| refusal.0);
    response.set("Content-Security-Policy", POLICY);
    response.set("X-Content-Type-Options", "nosniff");
    response.set("Referrer-Policy", "no-referrer");
    response.set("Cache-Control", "no-store");
    response
}

fn route(platform: &Platform, request: &Request, body: &mut Body) -> Answer {
    let parts: Vec<String> = request.path().split('/').skip(1).map(form::decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (request.method.as_str(), &parts[..]) {
        ("GET", [""]) => Ok(assets::index()),
        ("GET", ["favicon.ico"]) => Ok(Response::empty(204)),
        ("POST", ["page", "login"]) => guard::login(platform, body),
        (_, ["page", "api", rest @ ..]) => api::route(platform, request, rest, body),
        ("GET", ["page", name]) => assets::file(name).ok_or_else(|| Refusal::new(404, "the page has no such file")),
        _ => Err(Refusal::new(404, "no such page")),
    }
}
