//! Writes, reads, and both in one call.

use super::{device, form_body, Answer, Refusal};
use crate::murano::http::body::Body;
use crate::murano::http::request::Request;
use crate::murano::http::response::Response;
use crate::murano::http::{date, form};
use crate::murano::platform::Platform;
use crate::murano::store::{Kind, Point};

/// The content type of values, both ways.
pub const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Stores each `alias=value`. An alias that nobody has heard of is as good as any.
pub fn write(platform: &Platform, request: &Request, body: &mut Body) -> Answer {
    let sn = device(platform, request)?;
    let pairs = form_body(body)?;
    if pairs.is_empty() {
        return Err(Refusal::new(400, "the body has no alias=value"));
    }
    store_writes(platform, &sn, pairs)?;
    Ok(Response::empty(204))
}

/// The values of the aliases in the query.
pub fn read(platform: &Platform, request: &Request) -> Answer {
    let sn = device(platform, request)?;
    values(platform, &sn, &aliases(request)?)
}

/// All writes, then all reads.
pub fn hybrid(platform: &Platform, request: &Request, body: &mut Body) -> Answer {
    let sn = device(platform, request)?;
    let aliases = aliases(request)?;
    let pairs = form_body(body)?;
    if !pairs.is_empty() {
        store_writes(platform, &sn, pairs)?;
    }
    values(platform, &sn, &aliases)
}

fn store_writes(platform: &Platform, sn: &str, pairs: Vec<(String, Option<String>)>) -> Result<(), Refusal> {
    let ts = date::now() as f64;
    let points = pairs.into_iter().map(|(alias, value)| match value {
        Some(value) if !alias.is_empty() => Ok(Point { alias, ts, value }),
        _ => Err(Refusal::new(400, format!("'{alias}' is not alias=value"))),
    });
    let points = points.collect::<Result<Vec<_>, _>>()?;
    if !platform.may_write(sn) {
        let refusal = Refusal::new(429, "one write a second per device");
        return Err(Refusal(refusal.0.with("Retry-After", "1")));
    }
    platform.store.store(sn, &points, Kind::Write)?;
    platform.announce_change();
    Ok(())
}

/// The aliases that a query names.
pub fn aliases(request: &Request) -> Result<Vec<String>, Refusal> {
    let aliases: Vec<String> = form::pairs(request.query()).into_iter().map(|(alias, _)| alias).collect();
    if aliases.is_empty() {
        return Err(Refusal::new(400, "the query names no alias"));
    }
    Ok(aliases)
}

/// 200 with the values there are; 204 where there are none. An empty value is none.
pub fn values(platform: &Platform, sn: &str, aliases: &[String]) -> Answer {
    let mut text = String::new();
    for alias in aliases {
        let Some(point) = platform.store.latest(sn, alias)? else {
            continue;
        };
        if point.value.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(&form::encode(alias));
        text.push('=');
        text.push_str(&form::encode(&point.value));
    }
    if text.is_empty() {
        return Ok(Response::empty(204));
    }
    let mut response = Response::text(200, text);
    response.set("Content-Type", FORM);
    Ok(response)
}
