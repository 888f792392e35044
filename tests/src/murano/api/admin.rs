//! The other side of the platform: what the `murano` commands, a dashboard or a test ask for. Under `/admin/`, as JSON
//! or plain text. Never faulty, never in the request log.

use super::{is_cik, text_body, Answer, Refusal};
use crate::murano::content::MAX_UPLOAD;
use crate::murano::http::body::Body;
use crate::murano::http::request::Request;
use crate::murano::http::response::Response;
use crate::murano::http::{date, form};
use crate::murano::platform::Platform;
use crate::murano::store::{Kind, Point};
use serde_json::json;

/// Answers a call of the admin API.
pub fn answer(platform: &Platform, request: &Request, body: &mut Body) -> Response {
    route(platform, request, body).unwrap_or_else(|refusal| refusal.0)
}

fn route(platform: &Platform, request: &Request, body: &mut Body) -> Answer {
    let parts: Vec<String> = request.path().split('/').skip(2).map(form::decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match (request.method.as_str(), &parts[..]) {
        ("GET", ["state"]) => Ok(Response::json(&platform.store.state()?)),
        ("GET", ["requests"]) => Ok(Response::json(&platform.journal.to_json())),
        ("DELETE", ["requests"]) => {
            platform.journal.clear();
            Ok(Response::empty(204))
        }
        (method, ["faults"]) => faults(platform, method, body),
        ("GET", ["devices"]) => devices(platform),
        ("POST", ["devices", sn]) => add(platform, sn, body),
        ("POST", ["devices", sn, "enable"]) => found(platform.store.enable_device(sn)?, sn),
        ("POST", ["devices", sn, "revoke"]) => found(platform.store.revoke_device(sn)?, sn),
        ("GET", ["devices", sn, "aliases", alias]) => read(platform, sn, alias),
        ("PUT", ["devices", sn, "aliases", alias]) => write(platform, sn, alias, body),
        ("GET", ["content"]) => contents(platform),
        ("PUT", ["content", id]) if !id.is_empty() => upload(platform, request, id, body),
        ("DELETE", ["content", id]) => delete(platform, id),
        _ => Err(Refusal::new(404, "no such admin call")),
    }
}

fn no_device(sn: &str) -> Refusal {
    Refusal::new(404, format!("no device '{sn}'; add it with: murano product device add {sn}"))
}

fn found(known: bool, sn: &str) -> Answer {
    if known {
        Ok(Response::empty(204))
    } else {
        Err(no_device(sn))
    }
}

/// The body is one fault a line: POST adds them, PUT sets them instead of those that are on.
fn faults(platform: &Platform, method: &str, body: &mut Body) -> Answer {
    let text = text_body(body)?;
    let specs: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    match method {
        "GET" => {}
        "DELETE" => platform.faults.clear(),
        "PUT" => platform.faults.set(&specs).map_err(|why| Refusal::new(400, why))?,
        "POST" => platform.faults.add(&specs).map_err(|why| Refusal::new(400, why))?,
        _ => return Err(Refusal::new(405, "faults know GET, PUT, POST and DELETE")),
    }
    let list: Vec<_> = platform
        .faults
        .list()
        .into_iter()
        .map(|(fault, applied)| json!({"fault": fault, "applied": applied}))
        .collect();
    Ok(Response::json(&json!(list)))
}

fn devices(platform: &Platform) -> Answer {
    let devices = platform.store.devices()?.into_iter();
    let list = devices.map(|device| json!({"sn": device.sn, "cik": device.cik, "enabled": device.enabled}));
    Ok(Response::json(&json!(list.collect::<Vec<_>>())))
}

/// The body may be a CIK: then the device has it, as if it had activated.
fn add(platform: &Platform, sn: &str, body: &mut Body) -> Answer {
    let cik = text_body(body)?;
    if sn.is_empty() {
        return Err(Refusal::new(400, "the serial number is empty"));
    }
    if cik.is_empty() {
        platform.store.add_device(sn)?;
    } else if !is_cik(&cik) {
        return Err(Refusal::new(400, "a CIK is 40 letters and digits"));
    } else if !platform.store.set_cik(sn, &cik)? {
        return Err(Refusal::new(409, "another device has this CIK"));
    }
    Ok(Response::empty(204))
}

/// The value as it is; 204 where there is none.
fn read(platform: &Platform, sn: &str, alias: &str) -> Answer {
    if !platform.store.knows_device(sn)? {
        return Err(no_device(sn));
    }
    match platform.store.latest(sn, alias)? {
        Some(point) if !point.value.is_empty() => Ok(Response::text(200, point.value)),
        _ => Ok(Response::empty(204)),
    }
}

/// The body is the value. On an open platform this makes the device known: its gateway may not have called yet.
fn write(platform: &Platform, sn: &str, alias: &str, body: &mut Body) -> Answer {
    let value = text_body(body)?;
    if !platform.store.knows_device(sn)? {
        if !platform.options.open {
            return Err(no_device(sn));
        }
        platform.store.add_device(sn)?;
    }
    let point = Point { alias: alias.to_string(), ts: date::now() as f64, value };
    platform.store.store(sn, &[point], Kind::Write)?;
    platform.announce_change();
    Ok(Response::empty(204))
}

fn contents(platform: &Platform) -> Answer {
    let rows = platform.store.contents()?.into_iter();
    let list = rows
        .map(|row| json!({"id": row.id, "type": row.content_type, "size": row.size, "ts": row.ts, "meta": row.meta}));
    Ok(Response::json(&json!(list.collect::<Vec<_>>())))
}

fn upload(platform: &Platform, request: &Request, id: &str, body: &mut Body) -> Answer {
    let query = form::pairs(request.query());
    let meta = form::value(&query, "meta").unwrap_or("");
    if body.is_longer_than(MAX_UPLOAD) {
        return Err(Refusal::new(413, "an upload is at most 512 MiB"));
    }
    let row = platform.content.upload(&platform.store, id, meta, body)?;
    Ok(Response::json(&json!({"id": row.id, "size": row.size})))
}

fn delete(platform: &Platform, id: &str) -> Answer {
    if platform.content.delete(&platform.store, id)? {
        return Ok(Response::empty(204));
    }
    Err(Refusal::new(404, format!("no content '{id}'")))
}
