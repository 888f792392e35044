//! Long polling: a read that waits for a change.

use super::dataport::{aliases, values};
use super::{device, Answer, Refusal};
use crate::murano::http::date;
use crate::murano::http::request::Request;
use crate::murano::http::response::Response;
use crate::murano::platform::Platform;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// The longest wait, in milliseconds; a longer one is cut to this.
const MAX_WAIT: u64 = 300_000;

/// Answers when one of the aliases is written, at once if that has been since `If-Modified-Since`; 304 when the time is
/// up. The answer has the values of all the aliases.
pub fn poll(platform: &Platform, request: &Request) -> Answer {
    let sn = device(platform, request)?;
    let aliases = aliases(request)?;
    let wait = request.header("request-timeout").unwrap_or("").parse::<u64>();
    let wait = wait.map_err(|_| Refusal::new(400, "Request-Timeout is not in milliseconds"))?;
    let since = match request.header("if-modified-since") {
        None => None,
        Some(text) => Some(
            date::parse(text)
                .ok_or_else(|| Refusal::new(400, "If-Modified-Since is neither unix seconds nor an HTTP date"))?,
        ),
    };
    let until = Instant::now() + Duration::from_millis(wait.min(MAX_WAIT));
    let start = platform.store.last_id()?;
    loop {
        let seen = platform.last_change();
        if platform.store.changed(&sn, &aliases, start, since)? {
            return changed(platform, &sn, &aliases);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || platform.stop.load(SeqCst) {
            return Ok(Response::empty(304));
        }
        platform.wait_for_change(seen, left);
    }
}

/// The values, and when the last of them was written.
fn changed(platform: &Platform, sn: &str, aliases: &[String]) -> Answer {
    let mut last = 0.0;
    for alias in aliases {
        last = platform.store.latest(sn, alias)?.map_or(last, |point| point.ts.max(last));
    }
    Ok(values(platform, sn, aliases)?.with("Last-Modified", date::format(last as i64)))
}
