//! What the server says, read; what it is told, written. Unknown fields are skipped; what is not whole is no answer.

use std::collections::BTreeMap;

use miniserde::{json, Deserialize};

use super::clean;
use crate::format::hex;
use crate::format::json::Json;
use crate::orders::request::Entry;
use crate::orders::{Beside, ContentLink, End, Order, Part, Until};

/// A link.
#[derive(Deserialize)]
pub struct Href {
    /// Where.
    pub href: String,
}

type Links = BTreeMap<String, Href>;

/// The answer to a poll.
#[derive(Deserialize)]
pub struct Poll {
    config: PollConfig,
    #[serde(rename = "_links")]
    links: Option<Links>,
}

#[derive(Deserialize)]
struct PollConfig {
    polling: Polling,
}

#[derive(Deserialize)]
struct Polling {
    sleep: Option<String>,
}

impl Poll {
    /// How long the server wants to be left alone, as it says it.
    pub fn sleep(&self) -> &str {
        self.config.polling.sleep.as_deref().unwrap_or_default()
    }

    /// The link of that name.
    pub fn link(&self, name: &str) -> Option<&str> {
        self.links.as_ref()?.get(name).map(|link| link.href.as_str())
    }
}

/// The answer to a question about a cancel.
#[derive(Deserialize)]
pub struct Cancel {
    /// The number of the cancel itself, under which it is answered.
    pub id: String,
    #[serde(rename = "cancelAction")]
    action: WireStop,
}

#[derive(Deserialize)]
struct WireStop {
    #[serde(rename = "stopId")]
    stop_id: String,
}

impl Cancel {
    /// Which order is to be stopped.
    pub fn stops(&self) -> &str {
        &self.action.stop_id
    }
}

/// A deployment.
#[derive(Deserialize)]
pub struct Deployment {
    id: String,
    deployment: Chosen,
}

#[derive(Deserialize)]
struct Chosen {
    download: String,
    update: String,
    #[serde(rename = "maintenanceWindow")]
    window: Option<String>,
    chunks: Vec<DdiChunk>,
}

#[derive(Deserialize)]
struct DdiChunk {
    name: Option<String>,
    metadata: Option<Vec<Pair>>,
    artifacts: Option<Vec<Artifact>>,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Artifact {
    filename: String,
    hashes: Option<Hashes>,
    size: Option<u64>,
    #[serde(rename = "_links")]
    links: Option<Links>,
}

#[derive(Deserialize)]
struct Hashes {
    sha256: Option<String>,
    sha1: Option<String>,
    md5: Option<String>,
}

/// The longest name of a file, in bytes.
const MAX_NAME: usize = 200;
/// How a signature's name ends.
const SIGNATURE: &str = ".minisig";
/// How a delta's name ends.
const DELTA: &str = ".delta";
/// Files beside an app that are no apps.
const BESIDE: [&str; 3] = [SIGNATURE, DELTA, ".MD5SUM"];

impl Deployment {
    /// The order that it is; `None` where nothing is to be done now. The server's number goes into paths: only plain ones are taken.
    pub fn order(self) -> Option<Order> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.bytes().all(is_plain) {
            return None;
        }
        let chosen = &self.deployment;
        let until = until(&chosen.download, &chosen.update, chosen.window.as_deref())?;
        let parts = chosen.chunks.iter().map(DdiChunk::parts).collect::<Result<Vec<_>, _>>();
        Some(Order {
            id: self.id,
            parts: parts.map(|parts| parts.into_iter().flatten().collect()),
            until,
            logs: Vec::new(),
        })
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

impl DdiChunk {
    fn parts(&self) -> Result<Vec<Part>, String> {
        let says = |pair: &Pair| pair.key == "gwe" && pair.value.as_deref().map(str::trim) == Some("remove");
        if self.metadata.iter().flatten().any(says) {
            return self.removal().map(|part| vec![part]);
        }
        let artifacts = self.artifacts.as_deref().unwrap_or_default();
        let is_app = |artifact: &&Artifact| !BESIDE.iter().any(|ending| artifact.filename.ends_with(ending));
        artifacts.iter().filter(is_app).map(|artifact| artifact.part(artifacts)).collect()
    }

    /// A module that says so orders that the app of its name be taken away; what it may hold is not looked at.
    fn removal(&self) -> Result<Part, String> {
        let name = self.name.clone().filter(|name| name.len() <= MAX_NAME).ok_or("a module has no name of an app")?;
        let entry = Entry::named(name);
        let link = ContentLink { href: String::new(), signature: None, sha1: None, md5: None };
        Ok(Part { entry, link, beside: Vec::new(), remove: true })
    }
}

impl Artifact {
    fn part(&self, beside: &[Artifact]) -> Result<Part, String> {
        let Beside { name, size, sha256, link } = self.file(beside)?;
        // A delta that cannot be fetched is none: there is the tarball.
        let is_delta = |other: &&Artifact| other.filename.ends_with(DELTA);
        let deltas = beside.iter().filter(is_delta).filter_map(|delta| delta.file(beside).ok()).collect();
        let entry = Entry { sha256, size: Some(size), ..Entry::named(name) };
        Ok(Part { entry, link, beside: deltas, remove: false })
    }

    fn file(&self, beside: &[Artifact]) -> Result<Beside, String> {
        let quoted: String = self.filename.chars().filter(|c| !c.is_control()).take(100).collect();
        // Whether it is an app's is judged where every name is.
        if self.filename.len() > MAX_NAME {
            return Err(format!("{quoted}...: its name is too long"));
        }
        let href = self.href().ok_or_else(|| format!("{quoted}: it has no link to be downloaded by"))?;
        let size = self.size.ok_or_else(|| format!("{quoted}: it has no size"))?;
        let hash = |of: fn(&Hashes) -> &Option<String>, length: usize| {
            let hash = self.hashes.as_ref().and_then(|hashes| of(hashes).as_ref());
            hash.filter(|hash| hex::is_hash(hash, length)).cloned()
        };
        let (sha256, sha1, md5) = (hash(|h| &h.sha256, 64), hash(|h| &h.sha1, 40), hash(|h| &h.md5, 32));
        if sha256.is_none() && sha1.is_none() && md5.is_none() {
            return Err(format!("{quoted}: it has no hash to be checked by"));
        }
        let signature = beside.iter().find(|other| other.filename.strip_suffix(SIGNATURE) == Some(&self.filename));
        let signature = signature.and_then(Artifact::href).map(str::to_string);
        Ok(Beside {
            name: self.filename.clone(),
            size,
            sha256,
            link: ContentLink { href: href.to_string(), signature, sha1, md5 },
        })
    }

    /// `download`, else `download-http`, else the one that there is (hawkbit#1843).
    fn href(&self) -> Option<&str> {
        let links = self.links.as_ref()?;
        let named = links.get("download").or_else(|| links.get("download-http"));
        let mut others = links.iter().filter(|(rel, _)| !rel.starts_with("md5sum")).map(|(_, link)| link);
        let only = || others.next().filter(|_| others.next().is_none());
        named.or_else(only).map(|link| link.href.as_str())
    }
}

/// Reads an answer; `None` for anything else than what it should be.
pub fn parse<T: Deserialize>(body: &[u8]) -> Option<T> {
    json::from_str(std::str::from_utf8(body).ok()?).ok()
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
