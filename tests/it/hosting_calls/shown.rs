//! An answer as a line of text, without what is different each time: process numbers, times, made-up names, the scratch folder.

use gwe::format::xmlrpc::{MethodResponse, Value};

pub fn answer(answer: &MethodResponse) -> String {
    match answer {
        MethodResponse::Value(Value::Array(items)) if items.iter().all(|item| item.get("status").is_some()) => {
            // Of several that stop at once, who is first is chance.
            let mut items: Vec<String> = items.iter().map(shown).collect();
            items.sort();
            format!("[{}]", items.join(", "))
        }
        MethodResponse::Value(value) => shown(value),
        MethodResponse::Fault { code, text } => format!("fault {code} {:?}", without_variables(text)),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Struct(members) => {
            let mut members: Vec<String> = members.iter().map(|(name, value)| member(name, value)).collect();
            members.sort();
            format!("{{{}}}", members.join(", "))
        }
        Value::Text(text) => format!("{:?}", plain(text)),
        Value::Nil => "nil".to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Other(kind, text) => format!("{kind} {text}"),
    }
}

/// The configurations of all processes, a line for each of their values.
pub fn configurations(answer: &MethodResponse) -> String {
    let MethodResponse::Value(Value::Array(all)) = answer else { return self::answer(answer) };
    let mut lines = Vec::new();
    for one in all {
        let Value::Struct(members) = one else { continue };
        let name = ["group", "name"].map(|name| one.get(name).and_then(Value::as_text).unwrap_or_default()).join(":");
        let mut values: Vec<String> =
            members.iter().map(|(key, value)| format!("{name} {}", member(key, value))).collect();
        values.sort();
        lines.extend(values);
    }
    lines.join("\n")
}

fn member(name: &str, value: &Value) -> String {
    let is_chance = ["pid", "start", "stop", "now"].contains(&name);
    match value {
        Value::Int(number) if is_chance && *number != 0 => format!("{name}: N"),
        // Whether a file that supervisord names is known already is in docs/hosting.md's table.
        Value::Text(text) if name.ends_with("_logfile") && plain(text).ends_with("-RANDOM.log") => {
            format!("{name}: \"auto\"")
        }
        value => format!("{name}: {}", shown(value)),
    }
}

/// Ours names no variable of the environment: they are secrets.
fn without_variables(text: &str) -> String {
    let Some((before, names)) = text.split_once("Available names: ") else { return text.to_string() };
    let names: Vec<&str> = names.split(", ").filter(|name| !name.starts_with("ENV_")).collect();
    format!("{before}Available names: {}", names.join(", "))
}

/// A text without numbers of processes, dates, and names that were made up.
pub fn plain(text: &str) -> String {
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn line(line: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec "];
    if let Some((before, _)) = line.split_once("pid ").filter(|(_, behind)| behind.contains(", uptime ")) {
        return format!("{before}pid N, uptime T");
    }
    if line.ends_with(" AM") || line.ends_with(" PM") {
        if let Some(at) = MONTHS.iter().find_map(|month| line.find(month)) {
            return format!("{}DATE", &line[..at]);
        }
    }
    // 2026-11-28 13:02:20,123 in front of a line of the log.
    let is_stamped = line.len() > 24 && line.as_bytes()[4] == b'-' && line.as_bytes()[19] == b',';
    let line = if is_stamped { line.get(24..).unwrap_or(line) } else { line };
    let line = numbers_behind(line, "pid ");
    let line = numbers_behind(&line, "killing '");
    let line = numbers_behind(&line, "(pid");
    // AUTO logs: plain-stdout---twin-ab12cd34.log.
    match (line.find("---"), line.find(".log")) {
        (Some(from), Some(to)) if from < to => {
            let dash = line[..to].rfind('-').unwrap_or(from);
            format!("{}-RANDOM{}", &line[..dash], &line[to..])
        }
        _ => line,
    }
}

/// `N` for the first number behind a word.
fn numbers_behind(line: &str, word: &str) -> String {
    let Some(at) = line.find(word).map(|at| at + word.len()) else { return line.to_string() };
    let Some(from) = line[at..].find(|c: char| c.is_ascii_digit()).map(|offset| at + offset) else {
        return line.to_string();
    };
    let to = line[from..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |offset| from + offset);
    // A number, and nothing of a name, as p1.
    let is_number = line[..from].ends_with([' ', '(']);
    if is_number {
        format!("{}N{}", &line[..from], &line[to..])
    } else {
        line.to_string()
    }
}
