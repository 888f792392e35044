//! The content area as devices see it.

use super::{is_product, Answer, Refusal};
use crate::murano::fault::Plan;
use crate::murano::http::form::{pairs, value};
use crate::murano::http::request::Request;
use crate::murano::http::response::{Payload, Response};
use crate::murano::platform::Platform;
use crate::murano::store::ContentRow;

/// One id a line.
pub fn list(platform: &Platform, request: &Request) -> Answer {
    check_product(platform, request, 403)?;
    let rows = platform.store.contents()?;
    let lines: String = rows.into_iter().map(|row| row.id + "\n").collect();
    let mut response = Response::text(200, lines);
    response.set("Content-Type", "text/csv; charset=utf-8");
    Ok(response)
}

/// `<content-type>,<byte size>,<unix time>,<meta>`
pub fn info(platform: &Platform, request: &Request) -> Answer {
    check_product(platform, request, 400)?;
    let row = entry(platform, request)?;
    let line = format!("{},{},{},{}", row.content_type, row.size, row.ts, row.meta);
    let mut response = Response::text(200, line);
    response.set("Content-Type", "text/csv; charset=utf-8");
    Ok(response)
}

/// The bytes, or a range of them.
pub fn download(platform: &Platform, request: &Request, plan: &Plan) -> Answer {
    check_product(platform, request, 403)?;
    let row = entry(platform, request)?;
    let file = platform.content.read(&row)?;
    let asked = request.header("range").filter(|_| !plan.ignore_range);
    let mut response = Response::empty(200).with("Accept-Ranges", "bytes");
    response.set("Content-Type", &row.content_type);
    let (start, length) = match range(asked, row.size) {
        Range::Whole => (0, row.size),
        Range::Unsatisfiable => {
            let refusal = Refusal::new(416, "the range is past the end");
            return Err(Refusal(refusal.0.with("Content-Range", format!("bytes */{}", row.size))));
        }
        Range::Part { first, last } => {
            let first = first.saturating_add_signed(plan.shift_range).min(last);
            response.status = 206;
            response.set("Content-Range", format!("bytes {first}-{last}/{}", row.size));
            (first, last - first + 1)
        }
    };
    response.body = Payload::File { file, start, length };
    Ok(response)
}

fn check_product(platform: &Platform, request: &Request, status: u16) -> Result<(), Refusal> {
    let query = pairs(request.query());
    if is_product(platform, value(&query, "vendor"), value(&query, "model")) {
        return Ok(());
    }
    Err(Refusal::new(status, "vendor and model are not those of this product"))
}

/// The entry that the query asks for.
fn entry(platform: &Platform, request: &Request) -> Result<ContentRow, Refusal> {
    let query = pairs(request.query());
    let id = value(&query, "id").ok_or_else(|| Refusal::new(400, "the query has no id"))?;
    platform.store.content(id)?.ok_or_else(|| Refusal::new(404, format!("no content '{id}'")))
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// Everything: there is no header, or none that can be understood.
    Whole,
    /// From the first to the last byte, both included.
    Part { first: u64, last: u64 },
    /// Nothing that there is.
    Unsatisfiable,
}

/// `bytes=X-Y`, `X-` or `-Y`
fn range(header: Option<&str>, size: u64) -> Range {
    let spec = header.and_then(|header| header.strip_prefix("bytes="));
    let Some((first, last)) = spec.and_then(|spec| spec.split_once('-')) else {
        return Range::Whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first > last => Range::Whole,
        (Ok(first), _) if first >= size => Range::Unsatisfiable,
        (Ok(first), Ok(last)) => Range::Part { first, last: last.min(size - 1) },
        (Ok(first), Err(_)) if last.is_empty() => Range::Part { first, last: size - 1 },
        (Err(_), Ok(0)) if first.is_empty() => Range::Unsatisfiable,
        (Err(_), Ok(_)) if first.is_empty() && size == 0 => Range::Unsatisfiable,
        (Err(_), Ok(count)) if first.is_empty() => Range::Part { first: size.saturating_sub(count), last: size - 1 },
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |first, last| Range::Part { first, last };
        for (header, size, expected) in [
            ("bytes=0-3", 10, part(0, 3)),
            ("bytes=4-", 10, part(4, 9)),
            ("bytes=-3", 10, part(7, 9)),
            ("bytes=-30", 10, part(0, 9)),
            ("bytes=8-100", 10, part(8, 9)),
            ("bytes=9-9", 10, part(9, 9)),
            ("bytes=10-", 10, Range::Unsatisfiable),
            ("bytes=0-", 0, Range::Unsatisfiable),
            ("bytes=-5", 0, Range::Unsatisfiable),
            ("bytes=-0", 10, Range::Unsatisfiable),
            ("bytes=5-4", 10, Range::Whole),
            ("bytes=-", 10, Range::Whole),
            ("bytes=a-b", 10, Range::Whole),
            ("bytes=1-2,4-5", 10, Range::Whole),
            ("lines=1-2", 10, Range::Whole),
        ] {
            assert_eq!(range(Some(header), size), expected, "{header} of {size}");
        }
        assert_eq!(range(None, 10), Range::Whole);
    }
}
