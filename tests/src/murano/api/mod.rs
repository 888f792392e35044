//! The answers: one function per call of the Device API.

pub mod admin;
mod content;
mod dataport;
mod poll;
mod provision;
mod record;

use super::endpoint::Endpoint;
use super::fault::Plan;
use super::http::body::Body;
use super::http::request::Request;
use super::http::response::Response;
use super::http::{date, form};
use super::platform::Platform;
use std::io::{self, Read};

/// The body of a call is at most this long; uploads to the content area are another matter.
const MAX_BODY: u64 = 4 * 1024 * 1024;

/// An answer that is not the one hoped for, so that `?` can return it.
#[derive(Debug)]
pub struct Refusal(pub Response);

impl Refusal {
    /// With a line of text that says why.
    pub fn new(status: u16, why: impl AsRef<str>) -> Refusal {
        Refusal(Response::text(status, format!("{}\n", why.as_ref())))
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Refusal::new(500, format!("database: {error}"))
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                Refusal::new(400, format!("the body is broken: {error}"))
            }
            io::ErrorKind::FileTooLarge => Refusal::new(413, error.to_string()),
            _ => Refusal::new(500, error.to_string()),
        }
    }
}

/// What a call comes to.
pub type Answer = Result<Response, Refusal>;

/// Answers a call of the Device API.
pub fn answer(platform: &Platform, endpoint: Endpoint, request: &Request, body: &mut Body, plan: &Plan) -> Response {
    let answer = match endpoint {
        Endpoint::Activate => provision::activate(platform, body),
        Endpoint::Write => dataport::write(platform, request, body),
        Endpoint::Read => dataport::read(platform, request),
        Endpoint::Hybrid => dataport::hybrid(platform, request, body),
        Endpoint::Poll => poll::poll(platform, request),
        Endpoint::Record => record::record(platform, request, body),
        Endpoint::List => content::list(platform, request),
        Endpoint::Info => content::info(platform, request),
        Endpoint::Download => content::download(platform, request, plan),
        Endpoint::Timestamp => Ok(Response::text(200, date::now().to_string())),
        Endpoint::Unknown => Err(Refusal::new(404, "no such call")),
    };
    answer.unwrap_or_else(|refusal| refusal.0)
}

/// The decoded pairs of a body.
fn form_body(body: &mut Body) -> Result<Vec<(String, Option<String>)>, Refusal> {
    Ok(form::pairs(&text_body(body)?))
}

/// A body as text, bounded.
pub fn text_body(body: &mut Body) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    let too_long = body.is_longer_than(MAX_BODY) || {
        body.take(MAX_BODY + 1).read_to_end(&mut bytes)?;
        bytes.len() as u64 > MAX_BODY
    };
    if too_long {
        return Err(Refusal::new(413, "a body is at most 4 MiB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The serial number of the device whose CIK the request bears.
fn device(platform: &Platform, request: &Request) -> Result<String, Refusal> {
    let cik = request.header("x-exosite-cik").ok_or_else(|| Refusal::new(401, "no X-Exosite-CIK header"))?;
    if !is_cik(cik) {
        return Err(Refusal::new(401, "a CIK is 40 letters and digits"));
    }
    let sn = platform.store.device_of(cik)?.ok_or_else(|| Refusal::new(401, "no device has this CIK"))?;
    platform.contacted(&sn);
    Ok(sn)
}

/// Whether this has the shape of a CIK.
fn is_cik(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether vendor and model are those of this platform's product. Both may be absent, as with the newer platform.
fn is_product(platform: &Platform, vendor: Option<&str>, model: Option<&str>) -> bool {
    match (vendor, model, &platform.options.product) {
        (None, None, _) => true,
        (Some(vendor), Some(model), Some(product)) => vendor == product && model == product,
        (Some(vendor), Some(model), None) => !vendor.is_empty() && !model.is_empty(),
        _ => false,
    }
}
