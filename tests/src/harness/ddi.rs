//! A hawkBit within the test, as strict as the real one where devices were seen to fail, and able to be worse: the form of each body,
//! markup and quotas, ends told twice, artifacts of closed actions, tokens.

use super::scripted::{answer, Guest, Scripted};
use super::sums::sha256;
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The id of the gateway under test.
pub const DDI_ID: &str = "gw-1";
/// Its token.
pub const DDI_TOKEN: &str = "t-0123456789abcdef";

/// What an action is for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Waiting,
    Running,
    Canceling,
    Closed,
}

struct Action {
    id: String,
    status: Status,
    deployment: Value,
}

/// An answer in place of the server's own: to which requests, how many more, what, and whether the rest of it is for ever on its way.
struct Fault {
    wanted: String,
    left: usize,
    answer: Vec<u8>,
    stays: bool,
}

/// What the server knows.
#[derive(Default)]
struct State {
    url: String,
    sleep: String,
    asks: bool,
    actions: Vec<Action>,
    files: BTreeMap<String, Vec<u8>>,
    faults: Vec<Fault>,
    attributes: Value,
    log: Vec<String>,
    told: Vec<(String, Value)>,
    wrong: Vec<String>,
}

/// The server; it stops when dropped, and a request that was wrong fails the test then.
pub struct Hawkbit {
    server: Scripted,
    state: Arc<Mutex<State>>,
}

impl Hawkbit {
    /// A server that knows one gateway and has nothing for it.
    pub fn start() -> Hawkbit {
        let state = Arc::new(Mutex::new(State { sleep: "00:05:00".into(), ..State::default() }));
        let server = Scripted::start({
            let state = state.clone();
            move |guest| serve(&state, guest)
        });
        state.lock().unwrap().url = server.url();
        Hawkbit { server, state }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What it listens with, for a proxy before it.
    pub fn server(&self) -> &Scripted {
        &self.server
    }

    /// What each poll says of the interval.
    pub fn set_sleep(&self, text: &str) {
        self.state.lock().unwrap().sleep = text.into();
    }

    /// Asks for the attributes.
    pub fn ask_for_attributes(&self) {
        self.state.lock().unwrap().asks = true;
    }

    /// The attributes it was told last.
    pub fn attributes(&self) -> Value {
        self.state.lock().unwrap().attributes.clone()
    }

    /// Keeps a file, and gives it as an artifact: name, hashes, size, link.
    pub fn artifact(&self, name: &str, bytes: &[u8]) -> Value {
        let mut state = self.state.lock().unwrap();
        state.files.insert(name.into(), bytes.to_vec());
        let href = format!("{}/DEFAULT/controller/v1/{DDI_ID}/softwaremodules/1/artifacts/{name}", state.url);
        json!({"filename": name, "size": bytes.len(), "hashes": {"sha256": sha256(bytes)},
            "_links": {"download-http": {"href": href}, "md5sum-http": {"href": format!("{href}.MD5SUM")}}})
    }

    /// Gives an order of these artifacts, each in a module of its own, whichever are open already behind it.
    pub fn order(&self, id: &str, artifacts: &[Value]) {
        self.order_as(id, artifacts, "forced", "forced", None);
    }

    /// The same, by what the operator chose.
    pub fn order_as(&self, id: &str, artifacts: &[Value], download: &str, update: &str, window: Option<&str>) {
        let chunk = |artifact: &Value| json!({"part": "bApp", "version": "1", "name": "x", "artifacts": [artifact]});
        let chunks: Vec<Value> = artifacts.iter().map(chunk).collect();
        let mut deployment = json!({"download": download, "update": update, "chunks": chunks});
        if let Some(window) = window {
            deployment["maintenanceWindow"] = window.into();
        }
        self.order_exactly(id, deployment);
    }

    /// An order whose deployment is this; an open one of that id becomes it.
    pub fn order_exactly(&self, id: &str, deployment: Value) {
        let mut state = self.state.lock().unwrap();
        state.actions.retain(|action| action.id != id);
        state.actions.push(Action { id: id.into(), status: Status::Running, deployment });
    }

    /// Opens or closes the window of an order.
    pub fn set_window(&self, id: &str, update: &str, window: &str) {
        let mut state = self.state.lock().unwrap();
        let action = state.actions.iter_mut().find(|action| action.id == id).expect("there is such an action");
        action.deployment["update"] = update.into();
        action.deployment["maintenanceWindow"] = window.into();
    }

    /// Has an order wait for consent.
    pub fn wait_for_consent(&self, id: &str) {
        self.set_status(id, Status::Waiting);
    }

    /// Cancels an order.
    pub fn cancel(&self, id: &str) {
        self.set_status(id, Status::Canceling);
    }

    /// Closes an order without asking the gateway.
    pub fn force_quit(&self, id: &str) {
        self.set_status(id, Status::Closed);
    }

    fn set_status(&self, id: &str, status: Status) {
        let mut state = self.state.lock().unwrap();
        state.actions.iter_mut().filter(|action| action.id == id).for_each(|action| action.status = status);
    }

    /// Whether an order is closed.
    pub fn is_closed(&self, id: &str) -> bool {
        let state = self.state.lock().unwrap();
        state.actions.iter().any(|action| action.id == id && action.status == Status::Closed)
    }

    /// Answers so the next `count` requests whose first line holds `wanted`.
    pub fn answer_with(&self, wanted: &str, count: usize, status: u16, body: &str) {
        self.answer_exactly(wanted, count, answer(status, body.as_bytes(), &[]));
    }

    /// The same, byte for byte.
    pub fn answer_exactly(&self, wanted: &str, count: usize, answer: Vec<u8>) {
        self.state.lock().unwrap().faults.push(Fault { wanted: wanted.into(), left: count, answer, stays: false });
    }

    /// Begins to answer the next request whose first line holds `wanted`, and does not go on.
    pub fn get_stuck_at(&self, wanted: &str) {
        let answer = b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n{".to_vec();
        self.state.lock().unwrap().faults.push(Fault { wanted: wanted.into(), left: 1, answer, stays: true });
    }

    /// The requests so far that nobody has asked for yet: method and path below the gateway's own, with the status.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    /// What was told and taken of an order so far: execution, result and code.
    pub fn told(&self, id: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let of = state.told.iter().filter(|(of, _)| of == id).map(|(_, body)| {
            let status = &body["status"];
            let words = [&status["execution"], &status["result"]["finished"], &status["code"]];
            words
                .iter()
                .filter(|word| !word.is_null())
                .map(|word| word.to_string().replace('"', ""))
                .collect::<Vec<_>>()
        });
        of.map(|words| words.join(" ")).collect()
    }

    /// The messages of the last that was told of an order.
    pub fn details(&self, id: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let last = state.told.iter().rev().find(|(of, _)| of == id).map(|(_, body)| body["status"]["details"].clone());
        let details = last.and_then(|details| details.as_array().cloned()).unwrap_or_default();
        details.iter().map(|line| line.as_str().unwrap_or_default().to_string()).collect()
    }
}

impl Drop for Hawkbit {
    fn drop(&mut self) {
        let wrong = self.state.lock().map(|state| state.wrong.clone()).unwrap_or_default();
        if !std::thread::panicking() {
            assert!(wrong.is_empty(), "a real server would have refused:\n{}", wrong.join("\n"));
        }
    }
}

fn serve(state: &Mutex<State>, guest: &mut Guest) {
    let request = guest.request.clone();
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return };
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_string())
    };
    let mut state = state.lock().unwrap();
    let base = format!("/DEFAULT/controller/v1/{DDI_ID}");
    let path = target.strip_prefix(&base).unwrap_or(target).to_string();
    let first = format!("{method} {path}");
    let fault = state.faults.iter_mut().find(|fault| fault.left > 0 && first.contains(&fault.wanted));
    let mut stays = false;
    let reply = if let Some(fault) = fault {
        fault.left -= 1;
        stays = fault.stays;
        fault.answer.clone()
    } else if header("authorization").as_deref() != Some(&format!("TargetToken {DDI_TOKEN}")) {
        answer(401, b"", &[])
    } else if !target.starts_with(&base) {
        answer(404, b"", &[])
    } else {
        state.reply(method, &path, body, header("range"), header("content-type"))
    };
    let status = String::from_utf8_lossy(reply.get(9..12).unwrap_or(b"???")).into_owned();
    state.log.push(format!("{first} {status}"));
    drop(state);
    guest.say(&reply);
    if stays {
        guest.stay();
    }
}

impl State {
    fn reply(&mut self, method: &str, path: &str, body: &str, range: Option<String>, kind: Option<String>) -> Vec<u8> {
        let path = path.split('?').next().unwrap_or(path).to_string();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        if method != "GET" && kind.as_deref() != Some("application/json") {
            return self.refuse(415, "no JSON");
        }
        match (method, parts.as_slice()) {
            ("GET", [""]) => self.poll(),
            ("PUT", ["configData"]) => self.config_data(body),
            ("GET", ["deploymentBase", id]) => self.deployment(id),
            ("POST", ["deploymentBase", id, "feedback"]) => self.feedback(id, body),
            ("GET", ["cancelAction", id]) => match self.status(id) {
                Some(Status::Canceling) => ok(&json!({"id": id, "cancelAction": {"stopId": id}})),
                _ => answer(404, b"", &[]),
            },
            ("POST", ["cancelAction", id, "feedback"]) => self.cancel_feedback(id, body),
            ("GET", ["confirmationBase", _]) => answer(200, b"{}", &[]),
            ("POST", ["confirmationBase", id, "feedback"]) => match self.status(id) {
                Some(Status::Waiting) => {
                    self.become_(id, Status::Running);
                    answer(200, b"", &[])
                }
                _ => answer(404, b"", &[]),
            },
            ("GET", ["softwaremodules", _, "artifacts", name]) => self.artifact(name, range),
            _ => self.refuse(404, &path),
        }
    }

    fn refuse(&mut self, status: u16, why: &str) -> Vec<u8> {
        self.wrong.push(format!("{status}: {why}"));
        answer(status, b"{\"message\":\"<no>\"}", &[])
    }

    fn status(&self, id: &str) -> Option<Status> {
        self.actions.iter().find(|action| action.id == id).map(|action| action.status)
    }

    fn become_(&mut self, id: &str, status: Status) {
        self.actions.iter_mut().filter(|action| action.id == id).for_each(|action| action.status = status);
    }

    fn poll(&mut self) -> Vec<u8> {
        let mut links = serde_json::Map::new();
        // As a server behind a proxy sees itself.
        let inner = format!("http://inner:8080/DEFAULT/controller/v1/{DDI_ID}");
        let mut link = |name: &str, href: String| links.insert(name.into(), json!({"href": href}));
        if self.asks {
            link("configData", format!("{inner}/configData"));
        }
        if let Some(action) = self.actions.iter().find(|action| action.status != Status::Closed) {
            match action.status {
                Status::Running => link(
                    "deploymentBase",
                    format!(
                        "{inner}/deploymentBase/{}?c=-{}",
                        action.id,
                        action
                            .deployment
                            .to_string()
                            .bytes()
                            .fold(7, |sum: u32, b| sum.wrapping_mul(31) ^ u32::from(b))
                    ),
                ),
                Status::Canceling => link("cancelAction", format!("{inner}/cancelAction/{}", action.id)),
                _ => link("confirmationBase", format!("{inner}/confirmationBase/{}?c=1", action.id)),
            };
        }
        let mut body = json!({"config": {"polling": {"sleep": self.sleep}}});
        if !links.is_empty() {
            body["_links"] = links.into();
        }
        ok(&body)
    }

    fn deployment(&mut self, id: &str) -> Vec<u8> {
        match self.actions.iter().find(|action| action.id == id) {
            Some(action) if action.status != Status::Waiting => ok(&json!({"id": id, "deployment": action.deployment})),
            _ => answer(404, b"", &[]),
        }
    }

    fn config_data(&mut self, body: &str) -> Vec<u8> {
        let Ok(body) = serde_json::from_str::<Value>(body) else { return self.refuse(400, "no JSON") };
        let Some(data) = body["data"].as_object().filter(|data| !data.is_empty() && data.len() <= 100) else {
            return self.refuse(400, "data");
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-!@#$%^&*()+=[]{}|;:'\",.<>/\\? ".contains(c);
        let is_bad = |text: &str| text.is_empty() || text.len() > 128 || !text.chars().all(allowed);
        let bad = data.iter().find(|(key, value)| is_bad(key) || value.as_str().is_none_or(is_bad));
        if let Some((key, value)) = bad {
            let why = format!("{key}={value}");
            return self.refuse(400, &why);
        }
        self.asks = false;
        self.attributes = body["data"].clone();
        answer(200, b"", &[])
    }

    /// The body of a feedback, if a strict server takes it.
    fn strict(&mut self, body: &str) -> Result<Value, Vec<u8>> {
        let Ok(value) = serde_json::from_str::<Value>(body) else { return Err(self.refuse(400, "no JSON")) };
        let is_known = |value: &Value, known: &[&str]| {
            value.as_object().is_some_and(|object| object.keys().all(|key| known.contains(&key.as_str())))
        };
        let status = &value["status"];
        let fits = is_known(&value, &["timestamp", "status"])
            && value["timestamp"].is_u64()
            && is_known(status, &["execution", "result", "code", "details"])
            && is_known(&status["result"], &["finished"])
            && matches!(status["result"]["finished"].as_str(), Some("success" | "failure" | "none"));
        if !fits {
            return Err(self.refuse(400, body));
        }
        let details = status["details"].as_array().cloned().unwrap_or_default();
        let is_markup = |line: &str| {
            line.match_indices('<')
                .any(|(at, _)| line[at + 1..].starts_with(|c: char| c.is_alphabetic() || "/!?".contains(c)))
        };
        let is_bad = |line: &Value| line.as_str().is_none_or(|line| is_markup(line) || line.chars().count() > 512);
        if details.len() > 50 || details.iter().any(is_bad) {
            return Err(self.refuse(400, "details"));
        }
        Ok(value)
    }

    fn feedback(&mut self, id: &str, body: &str) -> Vec<u8> {
        let value = match self.strict(body) {
            Ok(value) => value,
            Err(refused) => return refused,
        };
        match self.status(id) {
            None | Some(Status::Waiting) => return answer(404, b"", &[]),
            Some(Status::Closed) => return answer(410, b"", &[]),
            Some(_) => {}
        }
        let execution = value["status"]["execution"].as_str().unwrap_or_default().to_string();
        let action = self.actions.iter().find(|action| action.id == id).expect("it has a status");
        let is_download_only =
            action.deployment["update"] == "skip" && action.deployment["maintenanceWindow"].is_null();
        if !["download", "downloaded", "proceeding", "closed"].contains(&execution.as_str()) {
            return self.refuse(400, body);
        }
        self.told.push((id.to_string(), value));
        if execution == "closed" || (execution == "downloaded" && is_download_only) {
            self.become_(id, Status::Closed);
            self.asks = true;
        }
        answer(200, b"", &[])
    }

    fn cancel_feedback(&mut self, id: &str, body: &str) -> Vec<u8> {
        let value = match self.strict(body) {
            Ok(value) => value,
            Err(refused) => return refused,
        };
        if self.status(id) != Some(Status::Canceling) {
            return answer(405, b"", &[]);
        }
        let status = match (value["status"]["execution"].as_str(), value["status"]["result"]["finished"].as_str()) {
            (Some("closed"), Some("success")) => Status::Closed,
            (Some("rejected"), _) | (Some("closed"), Some("failure")) => Status::Running,
            // hawkbit#952: the action stays in canceling for ever.
            _ => return self.refuse(200, body),
        };
        self.told.push((format!("cancel {id}"), value));
        self.become_(id, status);
        answer(200, b"", &[])
    }

    fn artifact(&mut self, name: &str, range: Option<String>) -> Vec<u8> {
        if !self.actions.iter().any(|action| action.status == Status::Running) {
            return answer(404, b"", &[]);
        }
        let Some(bytes) = self.files.get(name) else { return answer(404, b"", &[]) };
        let Some(from) =
            range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
        else {
            return answer(200, bytes, &[]);
        };
        let from: usize = from;
        if from >= bytes.len() {
            return answer(416, b"", &[&format!("Content-Range: bytes */{}", bytes.len())]);
        }
        let part = format!("Content-Range: bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        answer(206, &bytes[from..], &[&part])
    }
}

fn ok(body: &Value) -> Vec<u8> {
    answer(200, body.to_string().as_bytes(), &["Content-Type: application/json"])
}
