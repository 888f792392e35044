//! What the server says, read; what it is told, written. Unknown fields are skipped; what is not whole is no answer.

use miniserde::json::{self, Object, Value};

use super::clean;
use crate::format::hex;
use crate::format::json::Json;
use crate::orders::number;
use crate::orders::request::Entry;
use crate::orders::{Beside, ContentLink, End, Order, Part, Until};

/// The answer to a poll.
pub struct Poll {
    /// How long the server wants to be left alone, as it says it.
    pub sleep: String,
    links: Object,
}

impl Poll {
    /// Reads it. A link that leads nowhere is no absent one: what is ordered would count as taken back.
    pub fn of(value: &Value) -> Option<Poll> {
        let polling = at(at(value, "config")?, "polling")?;
        let sleep = text(polling, "sleep").unwrap_or_default().to_string();
        let links = match at(value, "_links") {
            None => Object::new(),
            Some(Value::Object(links)) => links.clone(),
            Some(_) => return None,
        };
        let leads = |link: &Value| text(link, "href").is_some();
        links.values().all(leads).then_some(Poll { sleep, links })
    }

    /// The link of that name.
    pub fn link(&self, name: &str) -> Option<&str> {
        text(self.links.get(name)?, "href")
    }
}

/// The answer to a question about a cancel.
pub struct Cancel {
    /// The number of the cancel itself, under which it is answered.
    pub id: String,
    /// Which order is to be stopped.
    pub stops: String,
}

impl Cancel {
    /// Reads it.
    pub fn of(value: &Value) -> Option<Cancel> {
        let id = text(value, "id").filter(|id| is_plain(id))?.to_string();
        Some(Cancel { id, stops: text(at(value, "cancelAction")?, "stopId")?.to_string() })
    }
}

/// The longest name of a file, in bytes.
const MAX_NAME: usize = 200;
/// How a signature's name ends.
const SIGNATURE: &str = ".minisig";
/// How a delta's name ends.
const DELTA: &str = ".delta";
/// Files beside an app that are no apps.
const BESIDE: [&str; 3] = [SIGNATURE, DELTA, ".MD5SUM"];

/// A deployment.
pub struct Deployment {
    /// The order that it is; `None` where nothing is to be done now.
    pub order: Option<Order>,
}

impl Deployment {
    /// Reads it.
    pub fn of(value: &Value) -> Option<Deployment> {
        let id = text(value, "id").filter(|id| is_plain(id))?;
        let chosen = at(value, "deployment")?;
        let (download, update) = (text(chosen, "download")?, text(chosen, "update")?);
        let Some(Value::Array(chunks)) = at(chosen, "chunks") else { return None };
        let Some(until) = until(download, update, text(chosen, "maintenanceWindow")) else {
            return Some(Deployment { order: None });
        };
        let parts = chunks.iter().map(parts).collect::<Result<Vec<_>, _>>();
        let parts = parts.map(|parts| parts.into_iter().flatten().collect());
        Some(Deployment { order: Some(Order { id: id.to_string(), parts, until, logs: Vec::new() }) })
    }
}

/// Whether a number of the server's may stand in a path.
pub fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// What stands there under a name; `null` is nothing.
fn at<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(object) => object.get(name).filter(|value| !matches!(value, Value::Null)),
        _ => None,
    }
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    match at(value, name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    match at(value, name) {
        Some(Value::Array(list)) => list,
        _ => &[],
    }
}

/// How far an order may go; `None`: not even to its download (rauc-hawkbit-updater#111, hawkbit#2026).
fn until(download: &str, update: &str, window: Option<&str>) -> Option<Until> {
    let goes = |word: &str| matches!(word, "forced" | "attempt");
    match (goes(download), goes(update), window) {
        (false, _, _) => None,
        (true, _, Some("unavailable")) => Some(Until::DownloadedForNow),
        (true, false, Some(_)) => Some(Until::DownloadedForNow),
        (true, false, None) => Some(Until::Downloaded),
        (true, true, _) => Some(Until::Installed),
    }
}

/// The apps of a chunk, which is a software module.
fn parts(chunk: &Value) -> Result<Vec<Part>, String> {
    let says = |pair: &Value| text(pair, "key") == Some("gwe") && text(pair, "value").map(str::trim) == Some("remove");
    if list(chunk, "metadata").iter().any(says) {
        return removal(chunk).map(|part| vec![part]);
    }
    let artifacts = list(chunk, "artifacts");
    let is_app = |artifact: &&Value| !BESIDE.iter().any(|ending| file_name(artifact).ends_with(ending));
    artifacts.iter().filter(is_app).map(|artifact| part(artifact, artifacts)).collect()
}

/// A module that says so orders that the app of its name be taken away; what it may hold is not looked at.
fn removal(chunk: &Value) -> Result<Part, String> {
    let name = text(chunk, "name").filter(|name| name.len() <= MAX_NAME).ok_or("a module has no name of an app")?;
    let entry = Entry::named(name.to_string());
    let link = ContentLink { href: String::new(), signature: None, sha1: None, md5: None };
    Ok(Part { entry, link, beside: Vec::new(), remove: true })
}

fn part(artifact: &Value, beside: &[Value]) -> Result<Part, String> {
    let Beside { name, size, sha256, link } = file(artifact, beside)?;
    // A delta that cannot be fetched is none: there is the tarball.
    let is_delta = |other: &&Value| file_name(other).ends_with(DELTA);
    let deltas = beside.iter().filter(is_delta).filter_map(|delta| file(delta, beside).ok()).collect();
    let entry = Entry { sha256, size: Some(size), ..Entry::named(name) };
    Ok(Part { entry, link, beside: deltas, remove: false })
}

fn file(artifact: &Value, beside: &[Value]) -> Result<Beside, String> {
    let name = file_name(artifact);
    let lacks = |what: &str| {
        let quoted: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        [&quoted, what].concat()
    };
    // Whether it is an app's is judged where every name is.
    if name.len() > MAX_NAME {
        return Err(lacks("...: its name is too long"));
    }
    let href = href(artifact).ok_or_else(|| lacks(": it has no link to be downloaded by"))?;
    let size = at(artifact, "size").and_then(number::whole).ok_or_else(|| lacks(": it has no size"))?;
    let hash = |of: &str, length: usize| {
        let hash = text(at(artifact, "hashes")?, of);
        hash.filter(|hash| hex::is_hash(hash, length)).map(str::to_string)
    };
    let (sha256, sha1, md5) = (hash("sha256", 64), hash("sha1", 40), hash("md5", 32));
    if sha256.is_none() && sha1.is_none() && md5.is_none() {
        return Err(lacks(": it has no hash to be checked by"));
    }
    let signature = beside.iter().find(|other| file_name(other).strip_suffix(SIGNATURE) == Some(name));
    let signature = signature.and_then(self::href).map(str::to_string);
    Ok(Beside {
        name: name.to_string(),
        size,
        sha256,
        link: ContentLink { href: href.to_string(), signature, sha1, md5 },
    })
}

fn file_name(artifact: &Value) -> &str {
    text(artifact, "filename").unwrap_or_default()
}

/// `download`, else `download-http`, else the one that there is (hawkbit#1843).
fn href(artifact: &Value) -> Option<&str> {
    let Some(Value::Object(links)) = at(artifact, "_links") else { return None };
    let named = |rel: &str| text(links.get(rel)?, "href");
    let is_file = |(rel, _): &(&String, &Value)| !rel.starts_with("md5sum");
    let mut others = links.iter().filter(is_file).filter_map(|(_, link)| text(link, "href"));
    let only = || others.next().filter(|_| others.next().is_none());
    named("download").or_else(|| named("download-http")).or_else(only)
}

/// Reads an answer; `None` for anything else than what it should be.
pub fn parse<T>(body: &[u8], of: fn(&Value) -> Option<T>) -> Option<T> {
    of(&json::from_str(std::str::from_utf8(body).ok()?).ok()?)
}

/// A feedback. No `id`, no `time`, no `progress`: some servers refuse them.
pub fn feedback(execution: &str, finished: &str, now_ms: u64, end: Option<&End>) -> String {
    let messages = end.map(|end| match &end.logs {
        Some(logs) => clean::newest(logs),
        None => clean::messages(&end.lines),
    });
    status(execution, finished, now_ms, end.map(|end| end.code.into()), messages.as_deref())
}

/// A feedback with one message.
pub fn remark(execution: &str, finished: &str, now_ms: u64, line: &str) -> String {
    status(execution, finished, now_ms, None, Some(&clean::messages(&[line.to_string()])))
}

/// The details are messages as the server takes them.
fn status(execution: &str, finished: &str, now_ms: u64, code: Option<i64>, details: Option<&[String]>) -> String {
    let mut json = Json::new();
    json.begin_object();
    json.key("timestamp");
    json.unsigned(now_ms);
    json.key("status");
    json.begin_object();
    json.key("execution");
    json.string(execution);
    json.key("result");
    json.begin_object();
    json.key("finished");
    json.string(finished);
    json.end_object();
    if let Some(code) = code {
        json.key("code");
        json.signed(code);
    }
    if let Some(messages) = details {
        json.key("details");
        json.begin_array();
        messages.iter().for_each(|message| json.string(message));
        json.end_array();
    }
    json.end_object();
    json.end_object();
    json.finish()
}

/// All attributes, in place of those that the server has.
pub fn config_data(attributes: &[(String, String)]) -> String {
    let mut json = Json::new();
    json.begin_object();
    json.key("mode");
    json.string("replace");
    json.key("data");
    json.pairs(attributes);
    json.end_object();
    json.finish()
}

#[cfg(test)]
mod tests;
