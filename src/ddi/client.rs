//! Requests of the DDI: each bounded, with the token to the configured origin alone; artifacts from where their links lead.

use std::time::Duration;

use super::address::{self, Address};
use crate::config::ddi::{Ddi as Settings, TokenKind};
use crate::http::{self, Answer, HttpRequest, Method, Route, Sink, TimeLimits, Transport, TransportError};
use crate::orders::{Failed, Kind};
use crate::sys::clock;

/// Redirections of an artifact that are followed.
const MAX_REDIRECTS: usize = 3;
/// Tries of a request that the server says to repeat: 409, 429 (rauc-hawkbit-updater#102, hawkbit#2834).
const TRIES: u32 = 3;
/// The wait between them.
const PAUSE: Duration = Duration::from_secs(1);

/// A client of one server.
pub struct Controller {
    transport: Transport,
    settings: http::Settings,
    origin: Address,
    /// The path of this gateway's resources.
    base: String,
    authorization: String,
}

impl Controller {
    /// A client for these settings.
    ///
    /// # Errors
    /// They cannot work.
    pub fn new(ddi: &Settings, http: http::Settings) -> Result<Controller, Failed> {
        let no_url = || Failed::permanent(format!("'{}' is no URL of a server", ddi.url));
        let origin = Address::parse(&ddi.url).ok_or_else(no_url)?;
        let settings = http::Settings { server: origin.origin.clone(), ..http };
        let transport = Transport::new(settings.clone()).map_err(failed)?;
        let base = [origin.path.trim_end_matches('/'), "/", &ddi.tenant, "/controller/v1/", &ddi.id].concat();
        let scheme = match ddi.token_kind {
            TokenKind::Target => "TargetToken ",
            TokenKind::Gateway => "GatewayToken ",
        };
        let authorization = [scheme, ddi.token.secret()].concat();
        Ok(Controller { transport, settings, origin, base, authorization })
    }

    /// The path of one of this gateway's resources.
    pub fn path(&self, rest: &str) -> String {
        [&self.base, rest].concat()
    }

    /// Asks at the configured origin.
    pub fn get(&self, path: &str) -> Result<Answer, Failed> {
        self.ask(Method::Get, path, None)
    }

    /// Sends JSON to the configured origin.
    pub fn send(&self, method: Method, path: &str, body: &str) -> Result<Answer, Failed> {
        self.ask(method, path, Some(body))
    }

    fn ask(&self, method: Method, path: &str, body: Option<&str>) -> Result<Answer, Failed> {
        let mut headers = vec![("Accept", "application/json"), ("Authorization", self.authorization.as_str())];
        headers.extend(body.map(|_| ("Content-Type", "application/json")));
        let limits =
            TimeLimits { stall: self.settings.stall_limit, total: Some(self.settings.total_limit), rate: None };
        let request = HttpRequest { path, method, headers: &headers, body, limits };
        for _ in 1..TRIES {
            let answer = http::ask(&self.transport, &request).map_err(failed)?;
            if !matches!(answer.head.status, 409 | 429) {
                return Ok(answer);
            }
            clock::sleep(PAUSE);
        }
        http::ask(&self.transport, &request).map_err(failed)
    }

    /// Downloads an artifact from byte `from` on.
    pub fn download(&self, link: &str, from: u64, sink: &mut dyn Sink) -> Result<(), Failed> {
        let Some(mut address) = address::artifact(&self.origin, link) else {
            return Err(Failed::permanent("its link is no address, or leads out of TLS"));
        };
        for _ in 0..=MAX_REDIRECTS {
            match self.download_at(&address, from, sink) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(answer)) => return Err(refusal("download", &answer)),
                Err(e) => match &*e {
                    TransportError::Redirect(_, _, target) => {
                        address = address::redirected(&address, target).ok_or_else(|| failed(e))?;
                    }
                    _ => return Err(failed(e)),
                },
            }
        }
        Err(Failed::passing("the download is redirected again and again"))
    }

    /// The way that a download from there would go.
    pub fn route(&self, link: &str) -> Option<Route> {
        let address = address::artifact(&self.origin, link)?;
        if address.origin == self.origin.origin {
            return self.transport.route();
        }
        self.elsewhere(&address).ok()?.foresee()
    }

    fn elsewhere(&self, address: &Address) -> Result<Transport, Box<TransportError>> {
        Transport::new(http::Settings { server: address.origin.clone(), ..self.settings.clone() })
    }

    fn download_at(
        &self,
        address: &Address,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<Result<(), Answer>, Box<TransportError>> {
        if address.origin == self.origin.origin {
            let headers = [("Authorization", self.authorization.as_str())];
            return http::download(&self.transport, &address.path, &headers, from, sink);
        }
        http::download(&self.elsewhere(address)?, &address.path, &[], from, sink)
    }
}

fn failed(e: Box<TransportError>) -> Failed {
    let kind = if e.is_permanent() { Kind::Permanent } else { Kind::Passing };
    Failed { why: e.to_string(), kind }
}

/// What an answer without success means (rauc-hawkbit-updater#158: a 404 for an artifact may just be a cancel).
pub fn refusal(call: &str, answer: &Answer) -> Failed {
    let status = answer.head.status;
    let meaning = match status {
        401 => {
            " (it does not know this id with this token; set them with: gwe --set-ddi-id <ID> --set-ddi-token <TOKEN>)"
        }
        403 => " (it refuses this gateway's address, or a quota is used up)",
        404 if call == "poll" => " (there is no such tenant or path; check: gwe --set-ddi-url, --set-ddi-tenant)",
        _ => "",
    };
    let text = http::excerpt(&answer.body);
    let text = if text.is_empty() { text } else { [": ", &text].concat() };
    let kind = match status {
        401 | 408 | 409 | 425 | 429 => Kind::Passing,
        400..=499 => Kind::Refused,
        _ => Kind::Passing,
    };
    Failed { why: format!("{call}: the server answered {status}{meaning}{text}"), kind }
}
