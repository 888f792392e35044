//! What is known of processes and of the configuration, as supervisord's structs.

use super::act::now;
use super::command;
use super::fault::MethodFault;
use super::now::{gone, text, Found, Now};
use super::{namespec, Gone, ResidentCore};
use crate::format::sort::sort_by_key;
use crate::format::xmlrpc::Value;
use crate::hosting::definition::{Channel, Configuration, Program, Zone};
use crate::hosting::encode::Bytes;
use crate::hosting::spawn_error::SpawnError;
use crate::hosting::state::ProcessRecord;
use crate::hosting::table::State;
use crate::hosting::wire::{records, texts};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: i64 = 86_400;

fn member(name: &str, value: Value) -> (String, Value) {
    (name.to_string(), value)
}

fn string(text: &str) -> Value {
    Value::Text(text.to_string())
}

/// Local time: `Nov 28 09:05 AM`.
fn shown_time(unix: i64, zones: &[u8]) -> String {
    let offset =
        records(zones, Zone::decode).take_while(|zone| zone.since <= unix).last().map_or(0, |zone| zone.offset);
    let local = unix.saturating_add(i64::from(offset));
    let (month, day) = month_and_day(local.div_euclid(DAY));
    let minutes = local.rem_euclid(DAY) / 60;
    let hour = minutes / 60;
    let half = if hour < 12 { "AM" } else { "PM" };
    let month = MONTHS.get(month).copied().unwrap_or_default();
    format!("{month} {day:02} {:02}:{:02} {half}", (hour + 11) % 12 + 1, minutes % 60)
}

/// Of the day so many days after the first of 1970; the month counts from 0.
fn month_and_day(days: i64) -> (usize, i64) {
    // Years that begin in March put the leap day last; 400 of them have 146,097 days.
    let days = days + 719_468;
    let day_of_era = days.rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    (((month + 2) % 12) as usize, day_of_year - (153 * month + 2) / 5 + 1)
}

fn uptime(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, rest) = (seconds / DAY, seconds % DAY);
    let clock = format!("{}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    match days {
        0 => clock,
        1 => ["1 day, ", &clock].concat(),
        days => format!("{days} days, {clock}"),
    }
}

/// Why the last start failed; empty where it did not.
fn spawn_error(record: &ProcessRecord, program: &Program<'_>) -> String {
    let mut out = Bytes::default();
    let error = SpawnError::of(record.spawn_error);
    if error == SpawnError::None {
        return String::new();
    }
    let found = command::file(program);
    let first = match (&found, error) {
        (Some((_, Some(file))), SpawnError::IsDirectory | SpawnError::NotExecutable | SpawnError::NoPermission) => {
            file.as_bytes()
        }
        _ => texts(program.argv).next().unwrap_or_default(),
    };
    error.text(record.spawn_detail as i32, program.name, program.command, first, program.command_fault, &mut out);
    text(&out.0)
}

fn description(state: State, found: &Found<'_>, error: &str, start: i64, stop: i64, now: i64, zones: &[u8]) -> String {
    match state {
        State::Running => format!("pid {}, uptime {}", found.record.pid, uptime(now - start)),
        State::Fatal | State::Backoff if error.is_empty() => format!("unknown error (try \"tail {}\")", found.name),
        State::Fatal | State::Backoff => error.to_string(),
        State::Stopped | State::Exited if start > 0 => shown_time(stop, zones),
        State::Stopped | State::Exited => "Not started".to_string(),
        State::Starting | State::Stopping => String::new(),
    }
}

/// For one whose start comes `after` others.
fn waits_for(program: &Program<'_>) -> String {
    let names: Vec<String> = texts(program.after).map(text).collect();
    ["waits for ", &names.join(" ")].concat()
}

fn info(found: &Found<'_>, settings_zones: &[u8], clocks: (i64, u64)) -> Value {
    let (wall, monotonic) = clocks;
    // Ages run on the monotonic clock, so a clock that is set changes none of them.
    let time = |at: u64| if at == 0 { 0 } else { wall - (monotonic.saturating_sub(at) / 1000) as i64 };
    let (start, stop) = (time(found.record.started_ms), time(found.record.stopped_ms));
    let state = State::of(found.record.state);
    let error = spawn_error(&found.record, &found.program);
    let description = match found.is_waiting() {
        true => waits_for(&found.program),
        false => description(state, found, &error, start, stop, wall, settings_zones),
    };
    let exit = if found.record.has_exited == 0 { 0 } else { found.record.exit_status };
    let (stdout, stderr) = (text(found.program.read_stdout().logfile), text(found.program.read_stderr().logfile));
    let mut members = vec![
        member("name", string(&found.name)),
        member("group", string(&found.group)),
        member("start", Value::Int(start)),
        member("stop", Value::Int(stop)),
        member("now", Value::Int(wall)),
        member("state", Value::Int(i64::from(found.record.state))),
        member("statename", string(state.name())),
        member("spawnerr", string(&error)),
        member("exitstatus", Value::Int(i64::from(exit))),
        member("logfile", string(&stdout)),
        member("stdout_logfile", string(&stdout)),
        member("stderr_logfile", string(&stderr)),
        member("pid", Value::Int(i64::from(found.record.pid))),
        member("description", string(&description)),
    ];
    if found.program.probe_interval > 0 {
        members.push(member("probe_restarts", Value::Int(i64::from(found.probe_restarts))));
    }
    Value::Struct(members)
}

pub(super) fn process_info(core: &mut dyn ResidentCore, name: &str) -> Result<Value, MethodFault> {
    let now = now(core)?;
    let clocks = core.clocks();
    Ok(info(&now.find_one(name)?, now.settings().zones, clocks))
}

pub(super) fn all_process_info(core: &mut dyn ResidentCore) -> Result<Value, MethodFault> {
    let now = now(core)?;
    let clocks = core.clocks();
    let mut found = now.processes();
    sort_by_key(&mut found, |one| (one.group.clone(), one.name.clone()));
    Ok(Value::Array(found.iter().map(|one| info(one, now.settings().zones, clocks)).collect()))
}

/// For the page: name, state and description of each process.
pub(super) fn lines(core: &mut dyn ResidentCore) -> Result<Vec<[String; 3]>, MethodFault> {
    let Value::Array(all) = all_process_info(core)? else { return Ok(Vec::new()) };
    let get = |value: &Value, key: &str| value.get(key).and_then(Value::as_text).unwrap_or_default().to_string();
    let line =
        |one: &Value| [namespec(&get(one, "group"), &get(one, "name")), get(one, "statename"), get(one, "description")];
    Ok(all.iter().map(line).collect())
}

fn none_if_empty(bytes: &[u8]) -> Value {
    string(&if bytes.is_empty() { "none".to_string() } else { text(bytes) })
}

fn channel(prefix: &str, channel: Channel<'_>, is_in_use: bool, members: &mut Vec<(String, Value)>) {
    let file = if channel.is_auto && !is_in_use { string("auto") } else { none_if_empty(channel.logfile) };
    let size = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let mut put = |key: &str, value: Value| members.push(([prefix, key].concat(), value));
    put("_capture_maxbytes", Value::Int(i64::from(channel.capture_maxbytes)));
    put("_events_enabled", Value::Bool(channel.has_events));
    put("_logfile", file);
    put("_logfile_backups", Value::Int(i64::from(channel.backups)));
    put("_logfile_maxbytes", size(channel.maxbytes));
    put("_syslog", Value::Bool(channel.to_syslog));
}

/// Everything that was last read, whether it runs or not.
pub(super) fn all_config_info(core: &mut dyn ResidentCore) -> Result<Value, MethodFault> {
    let bytes = core.configuration().map_err(|Gone| gone())?;
    let configuration = Configuration::checked(&bytes).ok_or_else(gone)?;
    let now: Now = now(core)?;
    let active: Vec<String> = now.groups().iter().map(|(_, group)| text(group.name)).collect();
    let mut all: Vec<(String, Value)> = Vec::new();
    for group in configuration.all_groups() {
        let in_use = active.contains(&text(group.name));
        for program in group.all_programs() {
            let mut members = vec![
                member("autostart", Value::Bool(program.autostart)),
                member("directory", none_if_empty(program.directory)),
                member("uid", if program.uid < 0 { string("none") } else { Value::Int(i64::from(program.uid)) }),
                member("command", string(&text(program.command))),
                member(
                    "exitcodes",
                    Value::Array(
                        (0..=255)
                            .filter(|code| program.expects(*code))
                            .map(|code| Value::Int(i64::from(code)))
                            .collect(),
                    ),
                ),
                member("group", string(&text(group.name))),
                member("group_prio", Value::Int(i64::from(group.priority))),
                member("inuse", Value::Bool(in_use)),
                member("killasgroup", Value::Bool(program.killasgroup)),
                member("name", string(&text(program.name))),
                member("process_prio", Value::Int(i64::from(program.priority))),
                member("redirect_stderr", Value::Bool(program.redirect_stderr)),
                member("startretries", Value::Int(i64::from(program.startretries))),
                member("startsecs", Value::Int(i64::from(program.startsecs))),
                member("stopsignal", Value::Int(i64::from(program.stopsignal))),
                member("stopwaitsecs", Value::Int(i64::from(program.stopwaitsecs))),
                member("serverurl", none_if_empty(program.serverurl)),
            ];
            channel("stdout", program.read_stdout(), in_use, &mut members);
            channel("stderr", program.read_stderr(), in_use, &mut members);
            all.push((text(program.name), Value::Struct(members)));
        }
    }
    sort_by_key(&mut all, |(name, _)| name.clone());
    Ok(Value::Array(all.into_iter().map(|(_, value)| value).collect()))
}

pub(super) fn state(now: &Now) -> Value {
    let name = match now.mood() {
        2 => "FATAL",
        1 => "RUNNING",
        0 => "RESTARTING",
        _ => "SHUTDOWN",
    };
    Value::Struct(vec![member("statecode", Value::Int(i64::from(now.mood()))), member("statename", string(name))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_read_them() {
        // The right-hand sides are what Python's strftime('%b %d %I:%M %p') and timedelta give.
        for (unix, want) in [
            (0, "Jan 01 12:00 AM"),
            (1_709_210_096, "Feb 29 12:34 PM"),
            (1_732_784_700, "Nov 28 09:05 AM"),
            (1_735_689_599, "Dec 31 11:59 PM"),
            (-1, "Dec 31 11:59 PM"),
        ] {
            assert_eq!(shown_time(unix, b""), want);
        }
        for (seconds, want) in [
            (0, "0:00:00"),
            (3_725, "1:02:05"),
            (86_400, "1 day, 0:00:00"),
            (200_000, "2 days, 7:33:20"),
            (-5, "0:00:00"),
        ] {
            assert_eq!(uptime(seconds), want);
        }
    }
}
