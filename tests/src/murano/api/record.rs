//! Points with times of their own.

use super::{device, form_body, Answer, Refusal};
use crate::murano::endpoint::alias_in_path;
use crate::murano::http::body::Body;
use crate::murano::http::form;
use crate::murano::http::request::Request;
use crate::murano::http::response::Response;
use crate::murano::platform::Platform;
use crate::murano::store::{Kind, Point};

/// `alias=a&<ts>=<value>&…`, or the older form with the alias in the path. All points are stored or, where two of one
/// alias are less than a second apart, none: 409.
///
/// Points that an earlier request stored are no conflict: a client that lost the reply sends the same point again.
pub fn record(platform: &Platform, request: &Request, body: &mut Body) -> Answer {
    let sn = device(platform, request)?;
    let points = points(alias_in_path(request.path()), form_body(body)?)?;
    let conflicts = conflicts(&points);
    if !conflicts.is_empty() {
        return Err(Refusal(Response::text(409, conflicts)));
    }
    platform.store.store(&sn, &points, Kind::Record)?;
    platform.announce_change();
    Ok(Response::empty(204))
}

fn points(mut alias: Option<String>, pairs: Vec<(String, Option<String>)>) -> Result<Vec<Point>, Refusal> {
    let in_path = alias.is_some();
    let mut points = Vec::new();
    for (key, value) in pairs {
        let value = value.ok_or_else(|| Refusal::new(400, format!("'{key}' has no value")))?;
        if key == "alias" && !in_path {
            alias = Some(value);
            continue;
        }
        let alias = alias.clone().filter(|alias| !alias.is_empty());
        let alias = alias.ok_or_else(|| Refusal::new(400, format!("no alias before {key}")))?;
        let ts = timestamp(&key).ok_or_else(|| Refusal::new(400, format!("'{key}' is not in unix seconds")))?;
        points.push(Point { alias, ts, value });
    }
    if points.is_empty() {
        return Err(Refusal::new(400, "the body has no <timestamp>=<value>"));
    }
    Ok(points)
}

/// Unix seconds, perhaps with a fraction.
fn timestamp(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|ts: &f64| plain && *ts < 1e11)
}

/// `<alias>=<ts>` of the first of each two that are too close, in the order of their times; empty where there are none.
fn conflicts(points: &[Point]) -> String {
    let mut sorted: Vec<&Point> = points.iter().collect();
    sorted.sort_by(|a, b| a.alias.cmp(&b.alias).then(a.ts.total_cmp(&b.ts)));
    let close = sorted.windows(2).filter_map(|pair| match pair {
        [a, b] if a.alias == b.alias && b.ts - a.ts < 1.0 => Some(a),
        _ => None,
    });
    close.map(|point| format!("{}={}", form::encode(&point.alias), point.ts)).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Result<Vec<Point>, Refusal> {
        points(None, form::pairs(body))
    }

    #[test]
    fn points_belong_to_the_alias_before_them() {
        let found = of("alias=a&1=x&2=y&alias=b&1=z").unwrap();
        let found: Vec<_> = found.iter().map(|p| (p.alias.as_str(), p.ts, p.value.as_str())).collect();
        assert_eq!(found, [("a", 1.0, "x"), ("a", 2.0, "y"), ("b", 1.0, "z")]);
    }

    #[test]
    fn an_alias_named_in_the_path_may_have_points_only() {
        let found = points(Some("a".into()), form::pairs("5=x")).unwrap();
        assert_eq!(found[0].alias, "a");
        points(Some("a".into()), form::pairs("alias=b&5=x")).unwrap_err();
    }

    #[test]
    fn what_is_no_point_is_refused() {
        for body in ["", "alias=a", "1=x", "alias=&1=x", "alias=a&-1=x", "alias=a&now=x", "alias=a&1", "alias=a&inf=x"]
        {
            assert_eq!(of(body).expect_err(body).0.status, 400, "{body}");
        }
    }

    #[test]
    fn points_under_a_second_apart_conflict() {
        for (body, named) in [
            ("alias=a&1=x&2=y", ""),
            ("alias=a&1=x&alias=b&1=y", ""),
            ("alias=a&1=x&1=y", "a=1"),
            ("alias=a&2=x&1.5=y", "a=1.5"),
            ("alias=a&7=x&alias=b&3=y&3=z&alias=a&7=w", "a=7&b=3"),
        ] {
            assert_eq!(conflicts(&of(body).unwrap()), named, "{body}");
        }
    }
}
