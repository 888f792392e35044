//! What the page asks for and does, as JSON under `/page/api/`. What changes something needs the header `X-Murano: page`, which no
//! form of another site can send.

use super::{deploy, summary};
use crate::murano::api::{text_body, Answer, Refusal};
use crate::murano::http::body::Body;
use crate::murano::http::request::Request;
use crate::murano::http::response::Response;
use crate::murano::http::{date, form};
use crate::murano::platform::Platform;
use crate::murano::store::Device;
use serde_json::{json, Value};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// How long a browser's question for changes is held.
const HOLD: Duration = Duration::from_secs(25);
/// So many points of an alias are told at the most; of more, the newest.
const MAX_POINTS: u32 = 20_000;
/// A CIK is shown by so many characters of its 40.
const CIK_SHOWN: usize = 8;

/// Answers `/page/api/…`, whose parts after that are given.
pub fn route(platform: &Platform, request: &Request, parts: &[&str], body: &mut Body) -> Answer {
    if request.method != "GET" && request.header("x-murano") != Some("page") {
        return Err(Refusal::new(403, "what changes something needs the header X-Murano: page"));
    }
    let query = form::pairs(request.query());
    match (request.method.as_str(), parts) {
        ("GET", ["gateways"]) => gateways(platform),
        ("GET", ["changes"]) => changes(platform, form::value(&query, "seen")),
        ("GET", ["gateways", sn]) => gateway(platform, &device(platform, sn)?),
        ("GET", ["gateways", sn, "points", alias]) => points(platform, sn, alias, form::value(&query, "from")),
        ("GET", ["gateways", sn, "bundle"]) => bundle(platform, &device(platform, sn)?),
        ("GET", ["tarballs"]) => deploy::tarballs(platform),
        ("PUT", ["tarballs", name]) => deploy::take(platform, name, body),
        ("POST", ["orders"]) => deploy::order(platform, &json_body(body)?),
        ("POST", ["gateways"]) => add(platform, &json_body(body)?),
        ("POST", ["gateways", sn, "interval"]) => deploy::interval(platform, sn, &json_body(body)?),
        ("POST", ["gateways", sn, "logs"]) => deploy::logs(platform, sn, &json_body(body)?),
        ("POST", ["gateways", sn, "enable"]) => done(platform, platform.store.enable_device(sn)?, sn),
        ("POST", ["gateways", sn, "revoke"]) => done(platform, platform.store.revoke_device(sn)?, sn),
        _ => Err(Refusal::new(404, "no such call")),
    }
}

fn json_body(body: &mut Body) -> Result<Value, Refusal> {
    serde_json::from_str(&text_body(body)?).map_err(|error| Refusal::new(400, format!("the body is no JSON: {error}")))
}

/// The device of a serial number.
pub fn device(platform: &Platform, sn: &str) -> Result<Device, Refusal> {
    platform.store.device(sn)?.ok_or_else(|| Refusal::new(404, format!("no gateway '{sn}'")))
}

fn done(platform: &Platform, known: bool, sn: &str) -> Answer {
    if !known {
        return Err(Refusal::new(404, format!("no gateway '{sn}'")));
    }
    platform.announce_change();
    Ok(Response::empty(204))
}

fn gateways(platform: &Platform) -> Answer {
    let change = platform.last_change();
    let now = date::now();
    let mut rows = Vec::new();
    for device in platform.store.devices()? {
        rows.push(row(platform, &device, now)?);
    }
    let product = &platform.options.product;
    Ok(Response::json(&json!({ "change": change, "now": now, "product": product, "gateways": rows })))
}

fn row(platform: &Platform, device: &Device, now: i64) -> Result<Value, Refusal> {
    let latest = |alias| platform.store.latest(&device.sn, alias);
    let latest = summary::Latest {
        report: latest("engine_report")?,
        info: latest("device_info")?,
        order: latest("engine_fetch")?,
        ordered: platform.store.latest_set(&device.sn, "engine_fetch")?,
        status: latest("fetch_status")?,
        interval: platform.store.latest_set(&device.sn, "update_interval")?,
        contact: platform.last_contact(&device.sn),
    };
    Ok(summary::row(device, &latest, now))
}

/// Waits until something changes after `seen`, and tells the number of the last change.
fn changes(platform: &Platform, seen: Option<&str>) -> Answer {
    let seen: u64 = seen.and_then(|text| text.parse().ok()).unwrap_or(0);
    let until = Instant::now() + HOLD;
    while platform.last_change() == seen && !platform.stop.load(SeqCst) && Instant::now() < until {
        platform.wait_for_change(seen, until.saturating_duration_since(Instant::now()));
    }
    Ok(Response::json(&json!({ "change": platform.last_change() })))
}

/// The row, and every alias with its newest value.
fn gateway(platform: &Platform, device: &Device) -> Answer {
    let change = platform.last_change();
    let now = date::now();
    let aliases: Vec<Value> = platform.store.aliases(&device.sn)?.into_iter().map(|alias| {
        json!({ "alias": alias.newest.alias, "ts": alias.newest.ts, "value": alias.newest.value, "points": alias.points })
    }).collect();
    let cik = device.cik.as_deref().map(masked);
    let row = row(platform, device, now)?;
    Ok(Response::json(&json!({ "change": change, "now": now, "gateway": row, "cik": cik, "aliases": aliases })))
}

fn masked(cik: &str) -> String {
    let shown: String = cik.chars().take(CIK_SHOWN).collect();
    shown + &"*".repeat(cik.chars().count().saturating_sub(CIK_SHOWN))
}

/// `[[unix seconds, value], …]` in the order of their times.
fn points(platform: &Platform, sn: &str, alias: &str, from: Option<&str>) -> Answer {
    let from: f64 = from.and_then(|text| text.parse().ok()).unwrap_or(f64::MIN);
    let points = platform.store.points(sn, alias, from, MAX_POINTS)?.into_iter();
    let points: Vec<Value> = points.map(|point| json!([point.ts, point.value])).collect();
    Ok(Response::json(&json!({ "alias": alias, "points": points })))
}

/// All that is known of a gateway, as a file for whoever helps; no CIK.
fn bundle(platform: &Platform, device: &Device) -> Answer {
    let mut aliases = serde_json::Map::new();
    for alias in platform.store.aliases(&device.sn)? {
        let points = platform.store.points(&device.sn, &alias.newest.alias, f64::MIN, MAX_POINTS)?;
        let points: Vec<Value> = points.into_iter().map(|point| json!([point.ts, point.value])).collect();
        aliases.insert(alias.newest.alias, json!(points));
    }
    let now = date::now();
    let row = row(platform, device, now)?;
    let response = Response::json(&json!({ "made": now, "gateway": row, "aliases": aliases }));
    Ok(response.with("Content-Disposition", "attachment; filename=\"support-bundle.json\""))
}

fn add(platform: &Platform, asked: &Value) -> Answer {
    let sn = asked["sn"].as_str().map(str::trim).unwrap_or("");
    if sn.is_empty() || sn.chars().any(char::is_control) {
        return Err(Refusal::new(400, "a serial number is a text of at least one character"));
    }
    if !platform.store.add_device(sn)? {
        return Err(Refusal::new(409, format!("'{sn}' is known already")));
    }
    platform.announce_change();
    Ok(Response::empty(204))
}
