//! `gmq set-aside`: points that the platform refused.

use miniserde::{json, Serialize};

use super::GmqFailure;
use crate::config::Paths;
use crate::format::form;
use crate::queue::ask;
use crate::queue::identity::DeviceIdentity;
use crate::queue::set_aside::{self, SetAsidePoint};
use crate::sys::log;

/// Runs a command behind `set-aside`.
pub(super) fn run(paths: &Paths, words: &[&str], is_json: bool) -> Result<String, GmqFailure> {
    match words {
        ["list"] => list(paths, is_json),
        ["requeue", ids @ ..] if !ids.is_empty() => requeue(paths, ids),
        ["discard", ids @ ..] if !ids.is_empty() => discard(paths, ids),
        _ => Err(GmqFailure::Usage("set-aside takes list, requeue all|ID... or discard all|ID...".to_string())),
    }
}

#[derive(Serialize)]
struct ShownPoint<'a> {
    id: &'a str,
    at: u64,
    device: String,
    alias: &'a str,
    time: u64,
    value: &'a str,
    reason: &'a str,
}

impl ShownPoint<'_> {
    fn of(entry: &SetAsidePoint) -> ShownPoint<'_> {
        let SetAsidePoint { id, at, identity, alias, time, value, reason } = entry;
        ShownPoint { id, at: *at, device: identity.to_string(), alias, time: *time, value, reason }
    }
}

fn list(paths: &Paths, is_json: bool) -> Result<String, GmqFailure> {
    let all = load(paths)?;
    let mut out = String::new();
    if is_json {
        return Ok(json::to_string(&all.iter().map(ShownPoint::of).collect::<Vec<_>>()) + "\n");
    }
    for e in &all {
        // A value may be anything: shown as one line, as the platform would get it.
        let value = form::encode(&e.value);
        let value = value.get(..60).unwrap_or(&value);
        let words = [&e.id, " ", &e.identity.to_string(), ": ", &e.alias, " ", &e.time.to_string(), "=", value];
        let text = [&log::one_line(&words.concat()), "\n         ", &log::one_line(&e.reason), "\n"].concat();
        out.push_str(&text);
    }
    Ok(out)
}

fn discard(paths: &Paths, ids: &[&str]) -> Result<String, GmqFailure> {
    let ids: Vec<String> = chosen(paths, ids)?.into_iter().map(|entry| entry.id).collect();
    set_aside::remove(&paths.queue(), &ids).map_err(|e| GmqFailure::Failed(e.to_string()))?;
    Ok([&ids.len().to_string(), " discarded\n"].concat())
}

/// Gives them to the server as an app would; each is taken out once it is queued durably.
fn requeue(paths: &Paths, ids: &[&str]) -> Result<String, GmqFailure> {
    let entries = chosen(paths, ids)?;
    for entry in &entries {
        let target = ["/onep:v1/stack/alias/", &form::encode(&entry.alias)].concat();
        let mut body = String::new();
        form::push_pair(&mut body, &entry.time.to_string(), &entry.value);
        let (header, value) = match &entry.identity {
            DeviceIdentity::Vms(vms) => ("X-Exosite-VMS", [&vms.vendor, " ", &vms.model, " ", &vms.serial].concat()),
            DeviceIdentity::Cik(cik) => ("X-Exosite-CIK", cik.secret().to_string()),
        };
        match ask::ask(paths, "POST", &target, Some((header, &value)), &body) {
            Ok((204, _)) => {}
            Ok((_, text)) => return Err(GmqFailure::Failed([&entry.id, ": ", text.trim_end()].concat())),
            Err(e) => return Err(GmqFailure::Failed(e.to_string())),
        }
        let id = std::slice::from_ref(&entry.id);
        set_aside::remove(&paths.queue(), id).map_err(|e| GmqFailure::Failed(e.to_string()))?;
    }
    Ok([&entries.len().to_string(), " queued again\n"].concat())
}

fn chosen(paths: &Paths, ids: &[&str]) -> Result<Vec<SetAsidePoint>, GmqFailure> {
    let all = load(paths)?;
    if ids == ["all"] {
        return Ok(all);
    }
    let find = |id: &&str| {
        let entry = all.iter().find(|entry| entry.id == *id).cloned();
        entry.ok_or_else(|| GmqFailure::Failed(["nothing is set aside as ", id, "; see `gmq set-aside list`"].concat()))
    };
    ids.iter().map(find).collect()
}

fn load(paths: &Paths) -> Result<Vec<SetAsidePoint>, GmqFailure> {
    Ok(set_aside::load(&paths.queue()).map_err(|e| GmqFailure::Failed(e.to_string()))?.entries)
}
