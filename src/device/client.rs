//! The calls of the Device API (docs/spec/device-api.md, "Calls"). Each is one request, bounded in time and size.

use std::time::Duration;

use super::error::DeviceError;
use super::evidence::{self, Values};
use super::reply::{self, ContentInfo};
use crate::config::Cik;
use crate::format::{form, utc};
use crate::http::{self, Answer, HttpRequest, Method, Route, Settings, Sink, TimeLimits, Transport, TransportError};

/// The longest long poll (docs/spec/device-api.md).
pub const MAX_WAIT: Duration = Duration::from_secs(300);

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const ALIAS: &str = "/onep:v1/stack/alias";
const RECORD: &str = "/onep:v1/stack/record";
const ACTIVATE: &str = "/provision/activate";
const DOWNLOAD: &str = "/provision/download";

/// A client of one server.
pub struct Client {
    transport: Transport,
}

/// What a long poll brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waited {
    /// Alias and value of what was written.
    pub values: Vec<(String, String)>,
    /// When, as the platform says it; for the next call's `since`.
    pub last_modified: Option<String>,
    /// Whether that second was long over when the answer was made, by the platform's own clock: what is written from then on bears a
    /// later time.
    pub is_past: bool,
}

/// A platform may be several machines whose clocks are not quite the same.
const CLOCKS_DIFFER: u64 = 2;

/// The error of an answer whose status is no success.
fn refusal(answer: &Answer, call: &'static str) -> Box<DeviceError> {
    Box::new(DeviceError::Status {
        call,
        status: answer.head.status,
        text: http::excerpt(&answer.body),
        retry_after: answer.retry_after(),
    })
}

/// The error of an answer that is not what the call should bring.
fn senseless(call: &'static str, how: String) -> Box<DeviceError> {
    Box::new(DeviceError::Reply(call, how))
}

impl Client {
    /// A client for these settings.
    ///
    /// # Errors
    /// The settings cannot work: the server's URL, the User-Agent, the CA bundle, no TLS in this build.
    pub fn new(settings: Settings) -> Result<Client, Box<DeviceError>> {
        Ok(Client { transport: Transport::new(settings)? })
    }

    /// Activates a serial number and returns the CIK that the platform gives it.
    ///
    /// # Errors
    /// 404: not on the system; 409: not enabled, or already activated.
    pub fn activate(&self, vendor: &str, model: &str, sn: &str) -> Result<Cik, Box<DeviceError>> {
        let mut body = String::new();
        form::push_pair(&mut body, "vendor", vendor);
        form::push_pair(&mut body, "model", model);
        form::push_pair(&mut body, "sn", sn);
        let answer = self.send("activate", ACTIVATE, None, Some(&body), &[])?;
        // Forty characters and nothing else; a line end, which some proxies add, cannot be meant.
        Cik::parse(answer.text().trim_end_matches(['\r', '\n'])).ok_or_else(|| {
            let length = answer.body.len();
            senseless("activate", format!("{length} bytes that are no CIK of 40 letters and digits"))
        })
    }

    /// Writes values, all of them or none.
    ///
    /// # Errors
    /// 401: see [`DeviceError::unauthorized`].
    pub fn write(&self, cik: &Cik, values: &[(&str, &str)]) -> Result<(), Box<DeviceError>> {
        let answer = self.send("write", ALIAS, Some(cik), Some(&form_of(values)), &[])?;
        self.acknowledged("write", &answer)
    }

    /// Reads the latest values. An alias that does not exist or is empty is not in the answer.
    ///
    /// # Errors
    /// 401: see [`DeviceError::unauthorized`].
    pub fn read(&self, cik: &Cik, aliases: &[&str]) -> Result<Values, Box<DeviceError>> {
        let answer = self.send("read", &read_path(aliases), Some(cik), None, &[("Accept", FORM)])?;
        self.values("read", &answer, aliases)
    }

    /// Writes, then reads, in one request: the hybrid call.
    ///
    /// # Errors
    /// As [`Client::write`]; nothing was read then.
    pub fn write_read(&self, cik: &Cik, values: &[(&str, &str)], aliases: &[&str]) -> Result<Values, Box<DeviceError>> {
        let (path, body) = (read_path(aliases), form_of(values));
        let answer = self.send("write and read", &path, Some(cik), Some(&body), &[("Accept", FORM)])?;
        self.values("write and read", &answer, aliases)
    }

    /// Waits until one of the aliases is written, at most [`MAX_WAIT`]; `None`: it was not. `since` is unix seconds or the
    /// [`Waited::last_modified`] of the call before, so that nothing in between is missed. An alias that was emptied is written, too: it
    /// then is not among the values.
    ///
    /// # Errors
    /// 401: see [`DeviceError::unauthorized`].
    pub fn wait(
        &self,
        cik: &Cik,
        aliases: &[&str],
        time: Duration,
        since: Option<&str>,
    ) -> Result<Option<Waited>, Box<DeviceError>> {
        let time = time.min(MAX_WAIT);
        let milliseconds = time.as_millis().to_string();
        let mut headers = vec![("Accept", FORM), ("Request-Timeout", milliseconds.as_str())];
        headers.extend(since.map(|since| ("If-Modified-Since", since)));
        let settings = self.transport.settings();
        let limits =
            TimeLimits { stall: time + settings.stall_limit, total: Some(time + settings.total_limit), rate: None };
        let answer = self.ask(&read_path(aliases), Some(cik), None, &headers, limits)?;
        match answer.head.status {
            200 | 204 => {}
            304 => return Ok(None),
            _ => return Err(refusal(&answer, "wait")),
        }
        let values = evidence::values_of(&answer.body, aliases).map_err(|how| senseless("wait", how))?;
        let [last, now] = ["last-modified", "date"].map(|name| answer.head.header(name));
        let seconds = |time: Option<&str>| time.and_then(utc::from_http);
        let is_past = matches!((seconds(last), seconds(now)), (Some(last), Some(now)) if now >= last.saturating_add(CLOCKS_DIFFER));
        Ok(Some(Waited { values, last_modified: last.map(str::to_string), is_past }))
    }

    /// Records points at their own times: per alias, unix seconds and values.
    ///
    /// # Errors
    /// [`DeviceError::Conflict`] names the points that lie less than a second from another.
    pub fn record(&self, cik: &Cik, points: &[(&str, &[(i64, &str)])]) -> Result<(), Box<DeviceError>> {
        let mut body = String::new();
        for (alias, values) in points {
            form::push_pair(&mut body, "alias", alias);
            values.iter().for_each(|(ts, value)| form::push_pair(&mut body, &ts.to_string(), value));
        }
        let answer = self.ask(RECORD, Some(cik), Some(&body), &[], self.limits(body.len()))?;
        match answer.head.status {
            200..=299 => self.acknowledged("record", &answer),
            409 => match reply::conflicts(&answer.text()) {
                conflicts if conflicts.is_empty() => Err(refusal(&answer, "record")),
                conflicts => Err(DeviceError::Conflict(conflicts).into()),
            },
            _ => Err(refusal(&answer, "record")),
        }
    }

    /// The ids of the content that the product offers.
    ///
    /// # Errors
    /// 403: wrong vendor or model.
    pub fn content_list(&self, vendor: &str, model: &str) -> Result<Vec<String>, Box<DeviceError>> {
        let answer = self.send("content list", &content_path(vendor, model, None), None, None, &[])?;
        evidence::lines_of(&answer.body).map_err(|how| senseless("content list", how))
    }

    /// What the platform knows about a piece of content.
    ///
    /// # Errors
    /// 400: there is none of that id.
    pub fn content_info(&self, vendor: &str, model: &str, id: &str) -> Result<ContentInfo, Box<DeviceError>> {
        let path = content_path(vendor, model, Some(id)) + "&info=true";
        let answer = self.send("content info", &path, None, None, &[])?;
        let text = answer.text();
        ContentInfo::parse(&text).ok_or_else(|| {
            senseless("content info", format!("'{}' is no type, size, time", http::excerpt(text.as_bytes())))
        })
    }

    /// The platform's time in unix seconds.
    ///
    /// # Errors
    /// As any call.
    pub fn timestamp(&self) -> Result<u64, Box<DeviceError>> {
        let text = self.send("timestamp", "/timestamp", None, None, &[])?.text();
        http::number(&text).ok_or_else(|| {
            senseless("timestamp", format!("'{}' is no number of seconds", http::excerpt(text.as_bytes())))
        })
    }

    /// The way that the last request went.
    pub fn route(&self) -> Option<Route> {
        self.transport.route()
    }

    /// Downloads a piece of content from byte `from` on, into `sink`. Where the content is no longer than `from`, it is
    /// downloaded whole.
    ///
    /// # Errors
    /// 403, 404: there is none of that id. After an error of the transport, what the sink has got is good, and the download
    /// can go on behind it.
    pub fn download(
        &self,
        vendor: &str,
        model: &str,
        id: &str,
        from: u64,
        sink: &mut dyn Sink,
    ) -> Result<(), Box<DeviceError>> {
        let path = content_path(vendor, model, Some(id));
        http::download(&self.transport, &path, &[], from, sink)?.map_err(|answer| refusal(&answer, "download"))
    }

    /// The values that a success brings; one that brings none is one only where it is the platform's.
    fn values(&self, call: &'static str, answer: &Answer, aliases: &[&str]) -> Result<Values, Box<DeviceError>> {
        let values = evidence::values_of(&answer.body, aliases).map_err(|how| senseless(call, how))?;
        if values.is_empty() {
            self.acknowledged(call, answer)?;
        }
        Ok(values)
    }

    /// Takes a success that says nothing for the platform's, where it is.
    fn acknowledged(&self, call: &'static str, answer: &Answer) -> Result<(), Box<DeviceError>> {
        if !evidence::is_blank(&answer.body) {
            return Err(senseless(call, evidence::instead(&answer.body)));
        }
        // Each time: a link may have become another's since the last answer.
        if self.transport.is_exposed() {
            self.timestamp().map_err(|e| {
                let status = answer.head.status;
                senseless(call, format!("{status} without TLS from what does not tell the platform's time: {e}"))
            })?;
        }
        Ok(())
    }

    /// One request whose answer is a success, or an error.
    fn send(
        &self,
        call: &'static str,
        path: &str,
        cik: Option<&Cik>,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Box<DeviceError>> {
        let answer = self.ask(path, cik, body, headers, self.limits(body.map_or(0, str::len)))?;
        match answer.head.status {
            200..=299 => Ok(answer),
            _ => Err(refusal(&answer, call)),
        }
    }

    /// One request, whatever the status of its answer.
    fn ask(
        &self,
        path: &str,
        cik: Option<&Cik>,
        body: Option<&str>,
        headers: &[(&str, &str)],
        limits: TimeLimits,
    ) -> Result<Answer, Box<DeviceError>> {
        let mut all = headers.to_vec();
        all.extend(cik.map(|cik| ("X-Exosite-CIK", cik.secret())));
        all.extend(body.map(|_| ("Content-Type", FORM)));
        let method = if body.is_some() { Method::Post } else { Method::Get };
        let answer = http::ask(&self.transport, &HttpRequest { path, method, headers: &all, body, limits })?;
        if answer.head.status < 300 && http::is_page(answer.head.header("content-type"), &answer.body) {
            return Err(Box::new(TransportError::LoginPage(self.transport.host())).into());
        }
        Ok(answer)
    }

    /// The limits of a call that sends so many bytes.
    fn limits(&self, sends: usize) -> TimeLimits {
        let settings = self.transport.settings();
        let sending = Duration::from_secs(sends as u64 / 1024);
        TimeLimits { stall: settings.stall_limit, total: Some(settings.total_limit + sending), rate: None }
    }
}

fn form_of(values: &[(&str, &str)]) -> String {
    let mut body = String::new();
    values.iter().for_each(|(alias, value)| form::push_pair(&mut body, alias, value));
    body
}

fn read_path(aliases: &[&str]) -> String {
    let mut path = ALIAS.to_string();
    for (index, alias) in aliases.iter().enumerate() {
        path.push(if index == 0 { '?' } else { '&' });
        form::encode_into(&mut path, alias);
    }
    path
}

fn content_path(vendor: &str, model: &str, id: Option<&str>) -> String {
    let mut query = String::new();
    form::push_pair(&mut query, "vendor", vendor);
    form::push_pair(&mut query, "model", model);
    if let Some(id) = id {
        form::push_pair(&mut query, "id", id);
    }
    [DOWNLOAD, "?", &query].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_bodies_are_encoded_on_both_sides() {
        assert_eq!(read_path(&["a", "b&c d"]), "/onep:v1/stack/alias?a&b%26c%20d");
        assert_eq!(read_path(&[]), "/onep:v1/stack/alias");
        assert_eq!(form_of(&[("a", "1&2"), ("b=", "\r\n")]), "a=1%262&b%3D=%0D%0A");
        let path = content_path("v", "m", Some("app.v1 2.tar.gz"));
        assert_eq!(path, "/provision/download?vendor=v&model=m&id=app.v1%202.tar.gz");
        assert_eq!(content_path("v", "m", None), "/provision/download?vendor=v&model=m");
    }
}
