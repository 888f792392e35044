//! `gmq status`.

use miniserde::json;

use super::GmqFailure;
use crate::config::Paths;
use crate::queue::ask::{self, AskError};
use crate::queue::service::status::QueueStatus;
use crate::queue::set_aside;
use crate::queue::settings::QueueSettings;
use crate::queue::store::load;
use crate::queue::store::segment;
use crate::sys::{clock, log};

/// Asks the server; where none runs, reads the disk, and changes nothing there.
pub(super) fn status(paths: &Paths, settings: &QueueSettings, is_json: bool) -> Result<String, GmqFailure> {
    let mut status = match ask::ask(paths, "GET", "/status", None, "") {
        Ok((200, text)) => {
            json::from_str::<QueueStatus>(&text).map_err(|_| failed("the server's status makes no sense"))?
        }
        Ok((_, text)) => return Err(failed(text.trim_end())),
        Err(AskError::NotRunning(..)) => at_rest(paths, settings)?,
        Err(e) => return Err(failed(&e.to_string())),
    };
    let aside = set_aside::load(&paths.queue()).map_err(|e| failed(&e.to_string()))?;
    status.set_aside = aside.entries.len() as u64;
    status.set_aside_lost = aside.lost;
    Ok(if is_json { status.to_json() } else { text(&status) })
}

fn failed(text: &str) -> GmqFailure {
    GmqFailure::Failed(text.to_string())
}

fn at_rest(paths: &Paths, settings: &QueueSettings) -> Result<QueueStatus, GmqFailure> {
    let folder = paths.queue();
    if !folder.is_dir() {
        return Ok(QueueStatus::of_store(&Default::default(), 0, settings.limits()));
    }
    let found = load::load(&folder).map_err(|e| failed(&e.to_string()))?;
    let bytes = ((found.segments.len() + found.ready.len()) * segment::SIZE) as u64;
    Ok(QueueStatus::of_store(&found.state, bytes, settings.limits()))
}

fn text(status: &QueueStatus) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        out.push_str(name);
        out.extend(std::iter::repeat(' ').take(12_usize.saturating_sub(name.len())));
        // What comes from servers and apps may hold anything.
        out.push_str(&log::one_line(value));
        out.push('\n');
    };
    line("gmq", &["v", &status.version, if status.running { ", running" } else { ", not running" }].concat());
    if status.running {
        let retry = |seconds: Option<u64>| [" (next try in ", &duration(seconds.unwrap_or(0)), ")"].concat();
        match &status.link_error {
            None => line("platform", "reached at the last try"),
            Some(why) => line("platform", &[why.as_str(), &retry(status.link_retry)].concat()),
        }
        if !status.clock && status.queued > 0 {
            line("clock", "not known good yet");
        }
    }
    line("queued", &(status.queued.to_string() + &age(status.oldest)));
    line("forwarded", &status.forwarded.to_string());
    for (name, count) in [
        ("set aside", status.set_aside),
        ("dropped", status.dropped),
        ("damaged", status.damaged),
        ("refused", status.refused),
    ] {
        line(name, &count.to_string());
    }
    if status.set_aside_lost > 0 {
        line("", &[&status.set_aside_lost.to_string(), " that were set aside are given up"].concat());
    }
    let bytes =
        [&status.bytes.to_string(), " of ", &status.max_bytes.to_string(), ", then ", &status.when_full].concat();
    line("bytes", &bytes);
    for device in &status.devices {
        let activated = if device.activated { "" } else { ", not activated" };
        let error = device.error.as_ref().map_or(String::new(), |why| [": ", why.as_str()].concat());
        let queued = device.queued.to_string();
        line("device", &[device.name.as_str(), ": ", &queued, " queued", activated, &error].concat());
    }
    out
}

fn age(oldest: Option<u64>) -> String {
    match oldest {
        Some(time) if time <= clock::unix_seconds() => {
            [", the oldest ", &duration(clock::unix_seconds() - time), " old"].concat()
        }
        _ => String::new(),
    }
}

/// In the two largest units: `1 d 3 h`.
fn duration(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let largest = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(3);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, name) in units.iter().skip(largest).take(2) {
        let count = rest / size;
        rest %= size;
        if count > 0 || parts.is_empty() {
            parts.push([&count.to_string(), " ", name].concat());
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_at_a_glance() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3725, "1 h 2 min"), (86_400, "1 d"), (1_000_000, "11 d 13 h")]
        {
            assert_eq!(duration(seconds), text);
        }
    }
}
