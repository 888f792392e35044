//! The commands that talk to a running server.

use super::args::Args;
use super::Failure;
use crate::murano::client::{Client, Reply, Sent};
use crate::murano::http::form::encode;
use serde_json::Value;
use std::env;
use std::io::{self, Write};
use std::path::Path;

/// Where the server is unless `--url` or `MURANO_URL` says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Runs one of them.
pub fn run(mut args: Args) -> Result<(), Failure> {
    let url = args.value("--url")?.or_else(|| env::var("MURANO_URL").ok());
    let client = Client::new(url.as_deref().unwrap_or(DEFAULT_URL))?.with_token(env::var("MURANO_TOKEN").ok());
    let json = args.flag("--json");
    let words = args.words()?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if json && !matches!(words[..], ["state" | "requests"]) {
        return Err(Failure::Usage("only state and requests know --json".to_string()));
    }
    match &words[..] {
        ["content", "upload", file, id] => upload(&client, file, id),
        ["content", "list"] => list_content(&client),
        ["content", "delete", id] => ask(&client, "DELETE", &content(id), "").map(drop),
        ["product", "device", rest @ ..] => device(&client, rest),
        ["state"] => print(&ask(&client, "GET", "/admin/state", "")?.text()),
        ["requests"] => print(&ask(&client, "GET", "/admin/requests", "")?.text()),
        ["requests", "clear"] => ask(&client, "DELETE", "/admin/requests", "").map(drop),
        ["fault", rest @ ..] => fault(&client, rest),
        _ => Err(Failure::Usage(format!("no such command: {}", words.join(" ")))),
    }
}

fn device(client: &Client, words: &[&str]) -> Result<(), Failure> {
    match words {
        ["add", sn] => ask(client, "POST", &path(sn, ""), "").map(drop),
        ["add", sn, cik] => ask(client, "POST", &path(sn, ""), cik).map(drop),
        ["enable", sn] => ask(client, "POST", &path(sn, "/enable"), "").map(drop),
        ["revoke", sn] => ask(client, "POST", &path(sn, "/revoke"), "").map(drop),
        ["list"] => list_devices(client),
        ["write", sn, alias, value] => {
            ask(client, "PUT", &path(sn, &format!("/aliases/{}", encode(alias))), value).map(drop)
        }
        ["read", sn, alias] => {
            let reply = ask(client, "GET", &path(sn, &format!("/aliases/{}", encode(alias))), "")?;
            // No value prints nothing; a value always ends its line.
            if reply.status == 200 {
                print(&reply.text())?;
            }
            Ok(())
        }
        _ => Err(Failure::Usage(format!("no such command: product device {}", words.join(" ")))),
    }
}

fn fault(client: &Client, words: &[&str]) -> Result<(), Failure> {
    let reply = match words {
        ["set", specs @ ..] if !specs.is_empty() => ask(client, "PUT", FAULTS, &specs.join("\n"))?,
        ["add", specs @ ..] if !specs.is_empty() => ask(client, "POST", FAULTS, &specs.join("\n"))?,
        ["list"] => ask(client, "GET", FAULTS, "")?,
        ["clear"] => ask(client, "DELETE", FAULTS, "")?,
        _ => return Err(Failure::Usage(format!("no such command: fault {}", words.join(" ")))),
    };
    for fault in array(&reply)? {
        let text = fault["fault"].as_str().unwrap_or_default();
        print(&format!("{text} (applied {} times)", fault["applied"]))?;
    }
    Ok(())
}

const FAULTS: &str = "/admin/faults";

fn content(id: &str) -> String {
    format!("/admin/content/{}", encode(id))
}

fn path(sn: &str, rest: &str) -> String {
    format!("/admin/devices/{}{rest}", encode(sn))
}

fn upload(client: &Client, file: &str, id: &str) -> Result<(), Failure> {
    let from = Path::new(file);
    if !from.is_file() {
        return Err(Failure::Failed(format!("cannot upload {file}: no such file")));
    }
    let reply = client.send("PUT", &content(id), &[], Sent::File(from))?;
    let reply = succeeded(reply)?;
    let stored: Value = serde_json::from_slice(&reply.body).map_err(io::Error::from)?;
    print(&format!("uploaded {id} ({} bytes)", stored["size"]))
}

fn list_content(client: &Client) -> Result<(), Failure> {
    let reply = ask(client, "GET", "/admin/content", "")?;
    array(&reply)?.iter().try_for_each(|row| print(row["id"].as_str().unwrap_or_default()))
}

/// A line per device: serial number, CIK or `-`, and whether it may activate.
fn list_devices(client: &Client) -> Result<(), Failure> {
    let reply = ask(client, "GET", "/admin/devices", "")?;
    array(&reply)?.iter().try_for_each(|device| {
        let sn = device["sn"].as_str().unwrap_or_default();
        let cik = device["cik"].as_str().unwrap_or("-");
        let enabled = if device["enabled"] == true { "enabled" } else { "activated" };
        print(&format!("{sn} {cik} {enabled}"))
    })
}

fn ask(client: &Client, method: &str, target: &str, body: &str) -> Result<Reply, Failure> {
    succeeded(client.send(method, target, &[], Sent::Bytes(body.as_bytes()))?)
}

fn succeeded(reply: Reply) -> Result<Reply, Failure> {
    match reply.status {
        200..=299 => Ok(reply),
        status => Err(Failure::Failed(format!("the server answered {status}: {}", reply.text().trim_end()))),
    }
}

fn array(reply: &Reply) -> Result<Vec<Value>, Failure> {
    serde_json::from_slice(&reply.body).map_err(|error| Failure::Failed(error.to_string()))
}

/// A line on stdout; an error where stdout is closed, never a panic.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(())
}
