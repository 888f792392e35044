//! Deploying by hand: tarballs into the content area, checked first by the code that gateways check them with, and orders to gateways.

use super::api::device;
use super::summary;
use crate::murano::api::{Answer, Refusal};
use crate::murano::content::MAX_UPLOAD;
use crate::murano::http::body::Body;
use crate::murano::http::date;
use crate::murano::http::response::Response;
use crate::murano::platform::Platform;
use crate::murano::store::{Kind, Point};
use gwe::app::{self, KeySet, TarballName};
use gwe::orders::logs;
use serde_json::{json, Value};

/// An order for more gateways than this is sent in parts.
const MAX_GATEWAYS: usize = 10_000;
/// A year: nobody means a longer interval.
const MAX_INTERVAL: u64 = 366 * 86_400;

/// What can be installed: the content area's entries that are named like tarballs of apps.
pub fn tarballs(platform: &Platform) -> Answer {
    let rows = platform.store.contents()?.into_iter().filter(|row| TarballName::parse(&row.id).is_ok());
    let list: Vec<Value> = rows.map(|row| json!({ "name": row.id, "size": row.size, "ts": row.ts })).collect();
    Ok(Response::json(&json!({ "tarballs": list })))
}

/// Takes a tarball, or a signature beside one, into the content area. A bad tarball is not taken: 422, with every fault.
pub fn take(platform: &Platform, name: &str, body: &mut Body) -> Answer {
    if body.is_longer_than(MAX_UPLOAD) {
        return Err(Refusal::new(413, "a tarball is at most 512 MiB"));
    }
    let tarball = name.strip_suffix(".minisig").unwrap_or(name);
    let parsed = TarballName::parse(tarball).map_err(|error| faults(name, &[error.to_string()]))?;
    let row = platform.content.upload_checked(&platform.store, name, "", body, |path| {
        if tarball != name {
            return Ok(());
        }
        if parsed.app() == app::name::KEY_SET {
            return KeySet::read_package(path, &parsed).map(drop).map_err(|fault| vec![fault.to_string()]);
        }
        match app::unpack::check_as(path, &parsed, app::UnpackLimits::default()) {
            Ok(_) => Ok(()),
            Err(app::UnpackError::Bad(found)) => Err(found.iter().map(ToString::to_string).collect()),
            Err(app::UnpackError::Failed(error)) => Err(vec![error.to_string()]),
        }
    })?;
    let row = row.map_err(|found| faults(name, &found))?;
    platform.announce_change();
    Ok(Response::json(&json!({ "name": row.id, "size": row.size })))
}

fn faults(name: &str, found: &[String]) -> Refusal {
    let mut response = Response::json(&json!({ "name": name, "faults": found }));
    response.status = 422;
    Refusal(response)
}

/// `{"gateways": [sn, …], "install": [name, …]}`: each gateway gets the order, behind what it has not taken yet.
pub fn order(platform: &Platform, asked: &Value) -> Answer {
    let (gateways, install) = (texts(&asked["gateways"])?, texts(&asked["install"])?);
    if gateways.is_empty() || install.is_empty() || gateways.len() > MAX_GATEWAYS {
        return Err(Refusal::new(400, "an order names 1 to 10,000 gateways and at least one tarball"));
    }
    for name in &install {
        if platform.store.content(name)?.is_none() {
            return Err(Refusal::new(404, format!("no tarball '{name}' in the content area")));
        }
    }
    for sn in &gateways {
        device(platform, sn)?;
    }
    for sn in &gateways {
        let mut order = waiting(platform, sn)?;
        let mut entries = order["install"].as_array().cloned().unwrap_or_default();
        let known = summary::pending(&order.to_string());
        entries.extend(install.iter().filter(|name| !known.contains(name)).map(|name| json!({ "name": name })));
        order["install"] = json!(entries);
        write(platform, sn, "engine_fetch", order.to_string())?;
    }
    platform.announce_change();
    Ok(Response::json(&json!({ "sent": gateways.len() })))
}

/// `{"logs": {program: lines, …}}`, as gateways understand it: asked for beside what the gateway has not taken yet.
pub fn logs(platform: &Platform, sn: &str, asked: &Value) -> Answer {
    device(platform, sn)?;
    let wanted = &asked["logs"];
    logs::parse(wanted.to_string().as_bytes()).map_err(|fault| Refusal::new(400, fault.to_string()))?;
    let mut order = waiting(platform, sn)?;
    order["logs"] = wanted.clone();
    write(platform, sn, "engine_fetch", order.to_string())?;
    platform.announce_change();
    Ok(Response::empty(204))
}

/// `{"seconds": n}`
pub fn interval(platform: &Platform, sn: &str, asked: &Value) -> Answer {
    device(platform, sn)?;
    let seconds = asked["seconds"].as_u64().filter(|seconds| (1..=MAX_INTERVAL).contains(seconds));
    let seconds =
        seconds.ok_or_else(|| Refusal::new(400, "an interval is a whole number of seconds, from 1 to a year"))?;
    write(platform, sn, "update_interval", seconds.to_string())?;
    platform.announce_change();
    Ok(Response::empty(204))
}

/// The order that the gateway has not taken yet; an empty object where there is none.
fn waiting(platform: &Platform, sn: &str) -> Result<Value, Refusal> {
    let text = platform.store.latest(sn, "engine_fetch")?.map_or_else(String::new, |point| point.value);
    Ok(serde_json::from_str(&text).ok().filter(Value::is_object).unwrap_or_else(|| json!({})))
}

fn write(platform: &Platform, sn: &str, alias: &str, value: String) -> Result<(), Refusal> {
    let point = Point { alias: alias.to_string(), ts: date::now() as f64, value };
    Ok(platform.store.store(sn, &[point], Kind::Write)?)
}

fn texts(list: &Value) -> Result<Vec<String>, Refusal> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Option<Vec<String>> = list.iter().map(|text| text.as_str().map(str::to_string)).collect();
    texts.ok_or_else(|| Refusal::new(400, "not a list of texts"))
}
