//! The text form of a fault.

use super::{Fault, Spec};
use crate::murano::endpoint::Endpoint;
use crate::murano::http::send::Offset;
use crate::murano::http::socket::Ending;
use std::str::FromStr;
use std::time::Duration;

/// Every kind with its arguments, as tests/README.md explains them.
pub const KINDS: [&str; 22] = [
    "pass",
    "refuse[=rst|fin]",
    "drop=AT[,rst|fin]",
    "truncate=BYTES",
    "stall=AT,SECONDS",
    "drip=BYTES,MS",
    "status=CODE[,SECONDS]",
    "lost-reply[=rst|fin]",
    "length=±N",
    "chunked[=SIZE]",
    "chunked-length[=SIZE]",
    "chunked-cut=CHUNKS[,SIZE]",
    "range-200",
    "range-ignored",
    "range-shifted=±N",
    "no-length",
    "headers=COUNT,BYTES",
    "redirect=URL",
    "garbage[=BYTES]",
    "delay=MS",
    "corrupt=AT",
    "interim",
];

/// Sizes and counts in a fault stay below this.
const MAX_NUMBER: u64 = 1 << 40;

/// `SCOPE:KIND[=ARGS][*COUNT][@PERCENT%[/SEED]]`
pub(super) fn spec(text: &str) -> Result<Spec, String> {
    read(text.trim()).map_err(|why| format!("fault '{text}': {why}"))
}

fn read(text: &str) -> Result<Spec, String> {
    let (scope, rest) = text.split_once(':').ok_or("expected SCOPE:KIND, such as any:refuse")?;
    let (rest, chance) = chance(rest)?;
    let (rest, count) = count(rest)?;
    let (kind, args) = rest.split_once('=').map_or((rest, None), |(kind, args)| (kind, Some(args)));
    Ok(Spec { scope: self::scope(scope)?, fault: fault(kind, args)?, count, chance })
}

fn scope(text: &str) -> Result<Vec<Endpoint>, String> {
    if text == "any" {
        return Ok(Vec::new());
    }
    text.split('+')
        .map(|name| {
            Endpoint::by_name(name)
                .ok_or_else(|| format!("'{name}' is no scope; use any, or endpoints joined by +, such as write+hybrid"))
        })
        .collect()
}

/// Percent, and the seed of the draw.
type Chance = (u8, u64);

/// The text before `@PERCENT%[/SEED]`, and that. An `@` that is not followed by a chance belongs to the arguments.
fn chance(text: &str) -> Result<(&str, Option<Chance>), String> {
    let Some((rest, chance)) = text.rsplit_once('@') else {
        return Ok((text, None));
    };
    let Some((percent, seed)) = chance.split_once('%') else {
        return Ok((text, None));
    };
    let percent = number(percent)?;
    if percent > 100 {
        return Err(format!("a chance of {percent}% is more than always"));
    }
    let seed = match seed.strip_prefix('/') {
        Some(seed) => number(seed)?,
        None if seed.is_empty() => 1,
        None => return Err(format!("expected /SEED after the percentage, not '{seed}'")),
    };
    Ok((rest, Some((percent as u8, seed))))
}

/// The text before `*COUNT`, and that. A `*` that is not followed by a number belongs to the arguments.
fn count(text: &str) -> Result<(&str, Option<u32>), String> {
    match text.rsplit_once('*') {
        Some((rest, count)) if count.bytes().all(|b| b.is_ascii_digit()) => match count.parse::<u32>() {
            Ok(count) if count > 0 => Ok((rest, Some(count))),
            _ => Err(format!("the count '{count}' is not in 1..=4294967295")),
        },
        _ => Ok((text, None)),
    }
}

fn fault(kind: &str, args: Option<&str>) -> Result<Fault, String> {
    let list: Vec<&str> = args.map(|args| args.split(',').collect()).unwrap_or_default();
    let fault = match (kind, &list[..]) {
        ("pass", []) => Fault::Pass,
        ("refuse", []) => Fault::Refuse(Ending::Reset),
        ("refuse", [how]) => Fault::Refuse(ending(how)?),
        ("drop", [at]) => Fault::Drop(offset(at)?, Ending::Reset),
        ("drop", [at, how]) => Fault::Drop(offset(at)?, ending(how)?),
        ("truncate", [bytes]) => Fault::Truncate(number(bytes)?),
        ("stall", [at, seconds]) => Fault::Stall(offset(at)?, Duration::from_secs(number(seconds)?)),
        ("drip", [bytes, ms]) => Fault::Drip(size(bytes)?, Duration::from_millis(number(ms)?)),
        ("status", [code]) => Fault::Status(status(code)?, None),
        ("status", [code, after]) => Fault::Status(status(code)?, Some(number(after)? as u32)),
        ("lost-reply", []) => Fault::LostReply(Ending::Fin),
        ("lost-reply", [how]) => Fault::LostReply(ending(how)?),
        ("length", [off]) => Fault::Length(signed(off)?),
        ("chunked", []) => Fault::Chunked(1000),
        ("chunked", [bytes]) => Fault::Chunked(size(bytes)?),
        ("chunked-length", []) => Fault::ChunkedAndLength(1000),
        ("chunked-length", [bytes]) => Fault::ChunkedAndLength(size(bytes)?),
        ("chunked-cut", [chunks]) => Fault::ChunkedCut(number(chunks)?, 1000),
        ("chunked-cut", [chunks, bytes]) => Fault::ChunkedCut(number(chunks)?, size(bytes)?),
        ("range-200", []) => Fault::RangeAs200,
        ("range-ignored", []) => Fault::RangeIgnored,
        ("range-shifted", [off]) => Fault::RangeShifted(signed(off)?),
        ("no-length", []) => Fault::NoLength,
        ("headers", [count, bytes]) => Fault::Headers(size(count)?, size(bytes)?),
        ("redirect", [_, ..]) => Fault::Redirect(args.unwrap_or_default().to_string()),
        ("garbage", []) => Fault::Garbage(256),
        ("garbage", [bytes]) => Fault::Garbage(size(bytes)?),
        ("delay", [ms]) => Fault::Delay(Duration::from_millis(number(ms)?)),
        ("interim", []) => Fault::Interim,
        ("corrupt", [at]) => Fault::Corrupt(offset(at)?),
        _ => return Err(format!("'{kind}' with {} arguments is none of {}", list.len(), KINDS.join(" "))),
    };
    Ok(fault)
}

/// `N`, `body+N` or `P%`.
fn offset(text: &str) -> Result<Offset, String> {
    if let Some(bytes) = text.strip_prefix("body+") {
        return Ok(Offset::Body(number(bytes)?));
    }
    match text.strip_suffix('%') {
        None => Ok(Offset::Whole(number(text)?)),
        Some(percent) => match number(percent)? {
            percent @ 0..=100 => Ok(Offset::Percent(percent as u8)),
            _ => Err(format!("{text} is past the end of the body")),
        },
    }
}

fn ending(text: &str) -> Result<Ending, String> {
    match text {
        "rst" => Ok(Ending::Reset),
        "fin" => Ok(Ending::Fin),
        _ => Err(format!("'{text}' is neither rst nor fin")),
    }
}

fn status(text: &str) -> Result<u16, String> {
    match number(text)? {
        code @ 200..=599 => Ok(code as u16),
        _ => Err(format!("{text} is no status from 200 to 599")),
    }
}

fn size(text: &str) -> Result<usize, String> {
    match number(text)? {
        size @ 1..=0x400_0000 => Ok(size as usize),
        _ => Err(format!("{text} is not in 1..=67108864")),
    }
}

fn number(text: &str) -> Result<u64, String> {
    match u64::from_str(text) {
        Ok(number) if number <= MAX_NUMBER => Ok(number),
        _ => Err(format!("'{text}' is no number from 0 to {MAX_NUMBER}")),
    }
}

fn signed(text: &str) -> Result<i64, String> {
    match i64::from_str(text) {
        Ok(number) if number != 0 && number.unsigned_abs() <= MAX_NUMBER => Ok(number),
        _ => Err(format!("'{text}' is not a number with a sign, such as -5 or +5")),
    }
}
