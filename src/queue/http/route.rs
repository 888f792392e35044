//! What a request asks for (docs/spec/gmq.md, "Calls").

use super::answer::AppAnswer;
use super::form_body;
use crate::config::Cik;
use crate::format::http::request::RequestHead;
use crate::queue::identity::{DeviceIdentity, Vms};
use crate::queue::point::MAX_ALIAS;

/// The first time that no point can have, in unix seconds: the year 2200.
const MAX_TIME: u64 = 7_258_118_400;
/// Points in one request, at the most.
const MAX_POINTS: usize = 5000;

/// A point as an app sends it: alias, unix seconds, value.
pub type SentPoint = (String, u64, String);

/// A request that makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppCall {
    /// Send these values now: alias and value.
    Write(DeviceIdentity, Vec<(String, String)>),
    /// Upload these points with the next batch.
    Record(DeviceIdentity, Vec<SentPoint>),
    /// Get the CIK of a device.
    Activate(Vms),
    /// Read the configuration again.
    Reread,
    /// Say how the queue is.
    Status,
}

/// Reads a request.
///
/// # Errors
/// The answer that says what is wrong with it.
pub fn route(head: &RequestHead, body: &[u8]) -> Result<AppCall, AppAnswer> {
    // gmq reads nothing, so what a hybrid call asks to read in its query finds nothing.
    let path = head.path();
    let stack = ["/onep:v1/stack/", "/api:v1/stack/"].into_iter().find_map(|prefix| path.strip_prefix(prefix));
    let call = match (stack, path.as_str()) {
        (Some("alias" | "alias/"), _) => KnownPath::Write,
        (Some("record" | "record/"), _) => KnownPath::RecordMany,
        (Some(rest), _) => match rest.strip_prefix("alias/") {
            Some(alias) => KnownPath::Record(alias),
            None => return Err(unknown(&path)),
        },
        (None, "/provision/activate") => KnownPath::Activate,
        (None, "/reread") => KnownPath::Reread,
        (None, "/status") => KnownPath::Status,
        _ => return Err(unknown(&path)),
    };
    let method = if matches!(call, KnownPath::Status) { "GET" } else { "POST" };
    let is_head = method == "GET" && head.method == "HEAD";
    if head.method != method && !is_head {
        return Err(AppAnswer::error(405, &["only ", method, " is known for ", &path].concat()));
    }
    let pairs = || form_body::pairs(head, body);
    match call {
        KnownPath::Write => write(identity(head)?, pairs()?),
        KnownPath::Record(alias) => record(identity(head)?, alias, pairs()?),
        KnownPath::RecordMany => record_many(identity(head)?, pairs()?),
        KnownPath::Activate => activate(pairs()?),
        KnownPath::Reread => Ok(AppCall::Reread),
        KnownPath::Status => Ok(AppCall::Status),
    }
}

enum KnownPath<'a> {
    Write,
    Record(&'a str),
    RecordMany,
    Activate,
    Reread,
    Status,
}

fn unknown(path: &str) -> AppAnswer {
    let shown: String = path.chars().filter(|c| !c.is_control()).take(100).collect();
    AppAnswer::error(404, &["there is no ", &shown, " here"].concat())
}

fn wrong(sentence: &str) -> AppAnswer {
    AppAnswer::error(400, sentence)
}

fn identity(head: &RequestHead) -> Result<DeviceIdentity, AppAnswer> {
    if let Some(vms) = head.header("x-exosite-vms") {
        if vms.contains(char::REPLACEMENT_CHARACTER) {
            return Err(wrong("X-Exosite-VMS is not UTF-8"));
        }
        let vms = Vms::parse(vms)
            .ok_or_else(|| wrong("X-Exosite-VMS must be three words: vendor, model and serial number"))?;
        return Ok(DeviceIdentity::Vms(vms));
    }
    let Some(cik) = head.header("x-exosite-cik") else {
        return Err(wrong("the request has neither X-Exosite-VMS nor X-Exosite-CIK: whose data is it?"));
    };
    let cik = Cik::parse(cik).ok_or_else(|| wrong("X-Exosite-CIK must be 40 letters and digits"))?;
    Ok(DeviceIdentity::Cik(cik))
}

fn write(identity: DeviceIdentity, values: Vec<(String, String)>) -> Result<AppCall, AppAnswer> {
    check_count(values.len(), "the body has no alias=value")?;
    for (alias, _) in &values {
        check_alias(alias)?;
    }
    Ok(AppCall::Write(identity, values))
}

fn record(identity: DeviceIdentity, alias: &str, pairs: Vec<(String, String)>) -> Result<AppCall, AppAnswer> {
    check_count(pairs.len(), "the body has no timestamp=value")?;
    check_alias(alias)?;
    let mut points = Vec::with_capacity(pairs.len());
    for (time, value) in pairs {
        points.push((alias.to_string(), unix_seconds(&time)?, value));
    }
    Ok(AppCall::Record(identity, points))
}

/// `alias=a&<ts>=<value>&…&alias=b&<ts>=<value>`: the newer form of record.
fn record_many(identity: DeviceIdentity, pairs: Vec<(String, String)>) -> Result<AppCall, AppAnswer> {
    let mut points = Vec::new();
    let mut alias = None;
    for (key, value) in pairs {
        if key == "alias" {
            check_alias(&value)?;
            alias = Some(value);
            continue;
        }
        let Some(alias) = &alias else { return Err(wrong("the body does not begin with alias=")) };
        points.push((alias.clone(), unix_seconds(&key)?, value));
        if points.len() > MAX_POINTS {
            break;
        }
    }
    check_count(points.len(), "the body has no timestamp=value")?;
    Ok(AppCall::Record(identity, points))
}

fn activate(pairs: Vec<(String, String)>) -> Result<AppCall, AppAnswer> {
    let mut vms = [None, None, None];
    for (key, value) in pairs {
        if let Some(place) = ["vendor", "model", "sn"].iter().position(|name| *name == key) {
            if let Some(slot) = vms.get_mut(place) {
                *slot = Some(value);
            }
        }
    }
    let [vendor, model, serial] = vms.map(Option::unwrap_or_default);
    let vms = Vms::new(&vendor, &model, &serial);
    vms.map(AppCall::Activate).ok_or_else(|| wrong("the body must be vendor=…&model=…&sn=…, each one word"))
}

fn check_count(count: usize, none: &str) -> Result<(), AppAnswer> {
    match count {
        0 => Err(wrong(none)),
        1..=MAX_POINTS => Ok(()),
        _ => Err(AppAnswer::error(413, "there are more than 5000 values in one request")),
    }
}

fn check_alias(alias: &str) -> Result<(), AppAnswer> {
    match alias.len() {
        _ if alias.contains(char::REPLACEMENT_CHARACTER) => Err(wrong("an alias is not UTF-8")),
        0 => Err(wrong("an alias is empty")),
        1..=MAX_ALIAS => Ok(()),
        _ => Err(wrong("an alias is longer than 255 bytes")),
    }
}

/// Unix seconds; the fraction that `time.time()` brings along is cut.
fn unix_seconds(text: &str) -> Result<u64, AppAnswer> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    let seconds = whole.parse::<i64>().ok().filter(|_| is_number(whole) && is_number(fraction));
    let shown = || -> String { text.chars().filter(|c| !c.is_control()).take(40).collect() };
    match seconds.and_then(|s| u64::try_from(s).ok()) {
        Some(seconds) if seconds < MAX_TIME => Ok(seconds),
        // The platform would refuse it later, when nobody is there to be told.
        Some(_) => Err(wrong(
            &["'", &shown(), "' is a time centuries away: unix seconds are wanted, not milliseconds"].concat(),
        )),
        None => Err(wrong(&["'", &shown(), "' is no time in unix seconds"].concat())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::head;
    use super::*;

    const CIK: &str = "0123456789abcdefABCDEF0123456789abcdef01";

    fn routed(request_line: &str, headers: &str, body: &str) -> Result<AppCall, (u16, String)> {
        let text = format!("{request_line} HTTP/1.1\r\n{headers}\r\n\r\n");
        let (head, _) = head::parse(text.as_bytes()).unwrap().unwrap();
        route(&head, body.as_bytes()).map_err(|answer| (answer.status, answer.body))
    }

    fn vms() -> DeviceIdentity {
        DeviceIdentity::Vms(Vms::new("p", "p", "1").unwrap())
    }

    fn strings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    }

    #[test]
    fn calls_as_apps_make_them() {
        let cik = DeviceIdentity::Cik(Cik::parse(CIK).unwrap());
        let header = format!("X-Exosite-CIK: {CIK}");
        let both = format!("{header}\r\nX-Exosite-VMS: p p 1");
        let report = "device_report={\"pressure\": \"63\"}";
        for (line, headers, body, expected) in [
            (
                "POST /onep:v1/stack/alias",
                header.as_str(),
                report,
                AppCall::Write(cik.clone(), strings(&[("device_report", "{\"pressure\": \"63\"}")])),
            ),
            (
                "POST /api:v1/stack/alias/?x",
                &both,
                "a=1%262&b=%zz",
                AppCall::Write(vms(), strings(&[("a", "1&2"), ("b", "%zz")])),
            ),
            (
                "POST /onep%3Av1/stack/alias/a%20b+c",
                "X-Exosite-VMS: p  p\t1",
                "1469819234=x&1469819235.75=y=z",
                AppCall::Record(
                    vms(),
                    vec![("a b+c".into(), 1_469_819_234, "x".into()), ("a b+c".into(), 1_469_819_235, "y=z".into())],
                ),
            ),
            (
                "POST /onep:v1/stack/record",
                &both,
                "alias=a&1=x&2=y&alias=b&1=z",
                AppCall::Record(
                    vms(),
                    vec![("a".into(), 1, "x".into()), ("a".into(), 2, "y".into()), ("b".into(), 1, "z".into())],
                ),
            ),
            (
                "POST /provision/activate",
                "",
                "vendor=p&model=p&sn=1",
                AppCall::Activate(Vms::new("p", "p", "1").unwrap()),
            ),
            ("POST /reread", "", "", AppCall::Reread),
            ("GET /status", "", "", AppCall::Status),
            ("HEAD /status", "", "", AppCall::Status),
            // A form is a form, whatever it is called.
            (
                "POST /onep:v1/stack/alias",
                "X-Exosite-VMS: p p 1\r\nContent-Type: text/plain",
                "a=1&b={\"c\": 2}",
                AppCall::Write(vms(), strings(&[("a", "1"), ("b", "{\"c\": 2}")])),
            ),
        ] {
            assert_eq!(routed(line, headers, body), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_answered_with_a_sentence() {
        let vms = "X-Exosite-VMS: p p 1";
        let long = format!("{}=1", "a".repeat(256));
        let many = "1=2&".repeat(5001);
        let typed = |what: &str| format!("{vms}\r\nContent-{what}");
        let (json, plain, gzip) = (typed("Type: application/json"), typed("Type: text/plain"), typed("Encoding: gzip"));
        let multipart = typed("Type: multipart/form-data; boundary=x");
        for (line, headers, body, status, sentence) in [
            ("POST /onep:v1/stack/alias", "", "a=1", 400, "neither"),
            ("POST /onep:v1/stack/alias", "X-Exosite-VMS: p p", "a=1", 400, "three words"),
            ("POST /onep:v1/stack/alias", "X-Exosite-CIK: short", "a=1", 400, "40 letters"),
            ("POST /onep:v1/stack/alias", vms, "", 400, "no alias=value"),
            ("POST /onep:v1/stack/alias", vms, "=1", 400, "empty"),
            ("POST /onep:v1/stack/alias", vms, &long, 400, "255"),
            ("POST /onep:v1/stack/alias", vms, &many, 413, "5000"),
            ("POST /onep:v1/stack/alias/a", vms, "", 400, "no timestamp"),
            ("POST /onep:v1/stack/alias/a", vms, "now=1", 400, "'now' is no time"),
            ("POST /onep:v1/stack/alias/a", vms, "-5=1", 400, "no time"),
            ("POST /onep:v1/stack/alias/a", vms, "99999999999999999999=1", 400, "no time"),
            ("POST /onep:v1/stack/record", vms, "1=2", 400, "begin with alias"),
            ("POST /provision/activate", "", "vendor=p&model=p", 400, "sn="),
            ("POST /provision/activate", "", "vendor=p&model=p&sn=a b", 400, "one word"),
            // docs/spec/failures.md, "Doubtful inputs": milliseconds.
            ("POST /onep:v1/stack/alias/a", vms, "1700000000000=1", 400, "centuries away"),
            // 05: Latin-1, raw and encoded; what is acknowledged is not another value.
            ("POST /onep:v1/stack/alias", vms, "t=21.5 %B0C", 400, "not UTF-8"),
            ("POST /onep:v1/stack/alias/%b0", vms, "1=1", 400, "not UTF-8"),
            // 04: what is no form.
            ("POST /onep:v1/stack/alias", &json, r#"{"temperature": 21.5}"#, 415, "application/json is not taken"),
            ("POST /onep:v1/stack/alias", vms, r#"{"temperature": 21.5}"#, 415, "curl -d"),
            ("POST /onep:v1/stack/alias", vms, r#"{"a": "b=c"}"#, 415, "curl -d"),
            (
                "POST /onep:v1/stack/alias",
                &multipart,
                "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n",
                415,
                "multipart/",
            ),
            ("POST /onep:v1/stack/alias", &gzip, "a=1", 415, "Content-Encoding gzip"),
            ("POST /onep:v1/stack/alias", &plain, "just text", 415, "text/plain is not taken"),
            ("POST /onep:v1/stack/alias", vms, "a=1 & 2", 400, "%26"),
            ("POST /provision/activate", &json, "{}", 415, "application/json"),
            ("GET /onep:v1/stack/alias?a", vms, "", 405, "only POST"),
            ("POST /status", "", "", 405, "only GET"),
            ("POST /", "", "", 404, "no /"),
            ("POST /onep:v1/stack/nonsense", vms, "a=1", 404, "nonsense"),
            ("POST /onep:v1/rpc/process", vms, "{}", 404, "rpc"),
        ] {
            let (got, text) = routed(line, headers, body).unwrap_err();
            assert!(got == status && text.contains(sentence), "{line} {body:.40}: {got} {text}");
        }
    }
}
