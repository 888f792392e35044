//! Who may use the page and the admin API. On loopback that is whoever is on this machine, but no other site that a browser
//! on it happens to show: neither by a form of its own (CSRF) nor by a name that it points here (DNS rebinding). With
//! `--token`, it is whoever knows the token.

use crate::murano::api::{text_body, Answer, Refusal};
use crate::murano::http::body::Body;
use crate::murano::http::request::Request;
use crate::murano::http::response::Response;
use crate::murano::platform::Platform;

/// The cookie that a browser gets for the token.
const COOKIE: &str = "murano_token";
/// The cookie lives for a day.
const COOKIE_SECONDS: u32 = 86_400;

/// Why a request to the page or the admin API is refused; `None`: it is not.
pub fn refusal(platform: &Platform, request: &Request) -> Option<Response> {
    let token = platform.options.token.as_deref();
    let refused = from_elsewhere(request).or_else(|| match token {
        None => other_name(request),
        Some(_) if is_open(request) => None,
        Some(token) if knows(request, token) => None,
        Some(_) => {
            Some(Refusal::new(401, "this server asks for its token: Authorization: Bearer TOKEN, or MURANO_TOKEN"))
        }
    });
    refused.map(|refusal| refusal.0)
}

/// The page itself and its files say nothing of the fleet; and who logs in has no cookie yet.
fn is_open(request: &Request) -> bool {
    !request.path().starts_with("/admin/") && !request.path().starts_with("/page/api/")
}

/// A browser says where a request comes from; commands do not, and need not.
fn from_elsewhere(request: &Request) -> Option<Refusal> {
    let is_own = |origin: &str| {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some() && authority == request.header("host")
    };
    let other_origin = request.header("origin").is_some_and(|origin| !is_own(origin));
    let other_site = request.header("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    // Links and bookmarks from elsewhere may lead to the page: it does nothing by being opened.
    let is_visit = request.method == "GET" && is_open(request);
    ((other_origin || other_site) && !is_visit).then(|| Refusal::new(403, "this request comes from another site"))
}

/// A server without a token is for this machine: its name in a request is a loopback one.
fn other_name(request: &Request) -> Option<Refusal> {
    let host = request.header("host")?;
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    let is_loopback = name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    let is_local = is_loopback || name.eq_ignore_ascii_case("localhost");
    (!is_local).then(|| Refusal::new(403, "without --token this server answers to 127.0.0.1, ::1 and localhost alone"))
}

fn knows(request: &Request, token: &str) -> bool {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let cookies = request.header("cookie").unwrap_or("").split(';');
    let cookie = cookies.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE);
    [bearer, cookie.map(|(_, value)| value)].into_iter().flatten().any(|given| is_same(given, token))
}

/// Takes as long for a wrong token as for a nearly right one.
fn is_same(given: &str, token: &str) -> bool {
    let differs = given.bytes().zip(token.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    given.len() == token.len() && differs == 0
}

/// The body is the token; the browser keeps it as a cookie that no script reads and no other site sends.
pub fn login(platform: &Platform, body: &mut Body) -> Answer {
    let given = text_body(body)?;
    match platform.options.token.as_deref() {
        Some(token) if is_same(given.trim(), token) => {
            let secure = if platform.options.tls_listen.is_some() { "; Secure" } else { "" };
            let cookie =
                format!("{COOKIE}={token}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Strict{secure}");
            Ok(Response::empty(204).with("Set-Cookie", cookie))
        }
        Some(_) => Err(Refusal::new(401, "that is not the token")),
        None => Ok(Response::empty(204)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(head: &str) -> Request {
        Request::read(&mut head.replace('\n', "\r\n").as_bytes()).expect("a head")
    }

    #[test]
    fn what_comes_from_another_site_is_refused() {
        for (head, refused) in [
            ("GET /admin/state HTTP/1.1\nHost: 127.0.0.1:8080\n\n", false),
            ("PUT /admin/faults HTTP/1.1\nHost: 127.0.0.1:8080\nOrigin: http://127.0.0.1:8080\n\n", false),
            ("PUT /admin/faults HTTP/1.1\nHost: 127.0.0.1:8080\nOrigin: https://127.0.0.1:8080\n\n", false),
            ("PUT /admin/faults HTTP/1.1\nHost: 127.0.0.1:8080\nOrigin: http://evil.example\n\n", true),
            ("PUT /admin/faults HTTP/1.1\nHost: 127.0.0.1:8080\nOrigin: null\n\n", true),
            ("POST /page/api/orders HTTP/1.1\nHost: localhost\nSec-Fetch-Site: cross-site\n\n", true),
            ("POST /page/api/orders HTTP/1.1\nHost: localhost\nSec-Fetch-Site: same-site\n\n", true),
            ("POST /page/api/orders HTTP/1.1\nHost: localhost\nSec-Fetch-Site: same-origin\n\n", false),
            ("POST /page/login HTTP/1.1\nHost: localhost\nOrigin: http://evil.example\n\n", true),
            ("GET / HTTP/1.1\nHost: localhost\nSec-Fetch-Site: cross-site\n\n", false),
        ] {
            assert_eq!(from_elsewhere(&request(head)).is_some(), refused, "{head}");
        }
    }

    #[test]
    fn a_name_that_somebody_points_here_is_refused() {
        for (host, refused) in [
            ("127.0.0.1:8080", false),
            ("127.8.9.1", false),
            ("[::1]:8080", false),
            ("LocalHost:1", false),
            ("evil.example", true),
            ("evil.example:8080", true),
            ("localhost.evil.example", true),
            ("10.0.0.1:8080", true),
            ("", true),
        ] {
            let head = format!("GET /page/api/gateways HTTP/1.1\nHost: {host}\n\n");
            assert_eq!(other_name(&request(&head)).is_some(), refused, "{host}");
        }
        assert!(other_name(&request("GET /admin/state HTTP/1.0\n\n")).is_none(), "a program that names no host");
    }

    #[test]
    fn a_token_is_known_by_header_or_cookie() {
        for (header, known) in [
            ("Authorization: Bearer abc", true),
            ("Authorization: Bearer abcd", false),
            ("Authorization: Bearer ", false),
            ("Authorization: abc", false),
            ("Cookie: a=b; murano_token=abc", true),
            ("Cookie: murano_token=ab", false),
            ("X: y", false),
        ] {
            let head = format!("GET /admin/state HTTP/1.1\n{header}\n\n");
            assert_eq!(knows(&request(&head), "abc"), known, "{header}");
        }
    }
}
