//! Existing clients, with only their host changed: curl, Python requests, Node's http, and a C client that searches the answer for
//! the literal text `Content-Length: `.

use gwe_tests::harness::{run, Gmq, Murano, Ran, Scratch};
use gwe_tests::skip;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success())
}

/// Runs a shell command with `$PORT` set.
fn sh(gmq: &Gmq, script: &str) -> Ran {
    run(Command::new("sh").args(["-c", script]).env("PORT", gmq.port().to_string()), LIMIT)
}

#[test]
fn curl_as_the_documents_show_it() {
    if !has("curl") {
        skip!("needs curl");
    }
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    let cik = sh(
        &gmq,
        "curl -sS -XPOST localhost:$PORT/provision/activate -H 'Content-Type: application/x-www-form-urlencoded; \
         charset=utf-8' -d 'vendor=p&model=p&sn=02ab7fc89'",
    )
    .ok()
    .stdout;
    assert_eq!(cik.len(), 40, "{cik}");
    let write = "curl -sS -w '%{http_code}' -XPOST http://localhost:$PORT/onep:v1/stack/alias \
         -H 'Content-Type: application/x-www-form-urlencoded; charset=utf-8'";
    let vms = "-H 'X-Exosite-VMS: p p 02ab7fc89'";
    let by_cik = format!(
        "{write} -H 'X-Exosite-CIK: {cik}' -H 'Content-Length: 32' -d 'device_report={{\"pressure\": \"63\"}}'"
    );
    assert_eq!(sh(&gmq, &by_cik).ok().stdout, "204");
    assert_eq!(sh(&gmq, &format!("{write} {vms} -d 'device_report={{\"coffee_level\": 63}}.'")).ok().stdout, "204");
    // A CIK that gmq gave out and the device's name mean one device.
    assert_eq!(murano.history("02ab7fc89", "device_report"), ["{\"pressure\": \"63\"}", "{\"coffee_level\": 63}."]);
    let record = format!(
        "curl -sS -w '%{{http_code}}' -XPOST http://localhost:$PORT/onep:v1/stack/alias/note {vms} \
         --data-urlencode \"1700000000=Linux 'date' & more\" --http1.0"
    );
    assert_eq!(sh(&gmq, &record).ok().stdout, "204");
    // curl waits for 100-continue before a large body.
    let large = format!("head -c 60000 /dev/zero | tr '\\0' x > $TMPFILE && {write} {vms} -d large=@- --data-urlencode big@$TMPFILE -o /dev/null");
    let scratch = Scratch::new();
    let file = scratch.path("large");
    let ran = sh(&gmq, &large.replace("$TMPFILE", &file.display().to_string()));
    assert_eq!(ran.ok().stdout, "204");
    assert_eq!(sh(&gmq, "curl -sS -w '%{http_code}' -XPOST localhost:$PORT/reread").ok().stdout, "204");
    gmq.drained(LIMIT);
    assert_eq!(murano.history("02ab7fc89", "note"), ["Linux 'date' & more"]);
    assert_eq!(murano.history("02ab7fc89", "big")[0].len(), 60_000);
}

/// A Python that has requests: the project's, or the machine's.
fn python() -> Option<PathBuf> {
    let own = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.venv/bin/python")).to_path_buf();
    [own, PathBuf::from("python3")].into_iter().find(|python| {
        Command::new(python).args(["-c", "import requests"]).output().is_ok_and(|out| out.status.success())
    })
}

#[test]
fn python_requests() {
    let Some(python) = python() else { skip!("needs Python with requests: make .venv/ready") };
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    let script = r#"
import os, requests
url = 'http://localhost:' + os.environ['PORT']
vms = {'X-Exosite-VMS': 'p p 1'}
cik = requests.post(url + '/provision/activate', data={'vendor': 'p', 'model': 'p', 'sn': '1'})
assert cik.status_code == 200 and len(cik.text) == 40, cik.text
app = requests.Session()
for n in range(3):
    r = app.post(url + '/onep:v1/stack/alias', headers=vms, data={'test': n, 'text': 'a&b=c é'})
    assert (r.status_code, r.text) == (204, ''), (r.status_code, r.text)
both = dict(vms, **{'X-Exosite-CIK': 'x' * 40, 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8'})
assert app.post(url + '/onep:v1/stack/alias', headers=both, data={'test': 'both'}).status_code == 204
r = app.post(url + '/onep:v1/stack/alias/rec', headers=vms, data={'1700000000': 'x', '1700000001.5': 'y'})
assert r.status_code == 204, r.text
def chunks():
    yield b'test='
    yield b'chunked'
assert app.post(url + '/onep:v1/stack/alias', headers=vms, data=chunks()).status_code == 204
assert app.post(url + '/onep:v1/stack/alias', data={'test': 'nobody'}).status_code == 400
print('ok')
"#;
    let ran = run(Command::new(python).args(["-c", script]).env("PORT", gmq.port().to_string()), LIMIT).ok();
    assert_eq!(ran.stdout.trim(), "ok");
    gmq.drained(LIMIT);
    assert_eq!(murano.history("1", "test"), ["0", "1", "2", "both", "chunked"]);
    assert_eq!(murano.history("1", "text")[0], "a&b=c é");
    assert_eq!(murano.history("1", "rec"), ["x", "y"]);
}

#[test]
fn node_http() {
    if !has("node") {
        skip!("needs node");
    }
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    // One agent that keeps its connections, one request with a length and one in chunks, then many at once.
    let script = r#"
const http = require('http');
const agent = new http.Agent({ keepAlive: true });
function post(path, headers, body, chunked) {
  return new Promise((resolve, reject) => {
    const options = { host: 'localhost', port: process.env.PORT, path, method: 'POST', agent,
      headers: Object.assign({ 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }, headers) };
    if (!chunked) options.headers['content-length'] = Buffer.byteLength(body);
    const request = http.request(options, response => {
      let text = '';
      response.on('data', part => { text += part; });
      response.on('end', () => resolve([response.statusCode, text]));
    });
    request.on('error', reject);
    request.end(body);
  });
}
(async () => {
  const vms = { 'X-Exosite-VMS': 'p p 1' };
  const [status, cik] = await post('/provision/activate', {}, 'vendor=p&model=p&sn=1');
  if (status !== 200 || cik.length !== 40) throw new Error(status + ' ' + cik);
  for (const chunked of [false, true]) {
    const [status, text] = await post('/onep:v1/stack/alias', vms, 'test=' + encodeURIComponent('é&' + chunked), chunked);
    if (status !== 204 || text !== '') throw new Error(status + ' ' + text);
  }
  const all = await Promise.all([...Array(50).keys()].map(
    n => post('/onep:v1/stack/alias/many', vms, (1700000000 + n) + '=' + n)));
  if (!all.every(([status]) => status === 204)) throw new Error(JSON.stringify(all));
  agent.destroy();
  console.log('ok');
})().catch(error => { console.error(error); process.exit(1); });
"#;
    let ran = run(Command::new("node").args(["-e", script]).env("PORT", gmq.port().to_string()), LIMIT).ok();
    assert_eq!(ran.stdout.trim(), "ok");
    gmq.drained(LIMIT);
    assert_eq!(murano.history("1", "test"), ["é&false", "é&true"]);
    assert_eq!(murano.history("1", "many").len(), 50);
}

#[test]
fn a_c_client_that_searches_for_the_literal_header() {
    if !has("cc") {
        skip!("needs cc");
    }
    let murano = Murano::start();
    let gmq = Gmq::start(&murano.url());
    let scratch = Scratch::new();
    let source = scratch.write("client.c", C_CLIENT);
    let program = scratch.path("client");
    run(Command::new("cc").args(["-Wall", "-o"]).arg(&program).arg(&source), LIMIT).ok();
    let port = gmq.port().to_string();
    let cik = run(Command::new(&program).args([&port, "/provision/activate", "vendor=p&model=p&sn=1"]), LIMIT).ok();
    assert_eq!(cik.stdout.len(), 40, "{}", cik.report());
    for value in ["1", "2"] {
        let ran = run(
            Command::new(&program).args([&port, "/onep:v1/stack/alias", &format!("test={value}"), &cik.stdout]),
            LIMIT,
        )
        .ok();
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(murano.history("1", "test"), ["1", "2"]);
}

/// As microcontroller libraries do it: no HTTP parser, only string searches.
const C_CLIENT: &str = r#"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char request[1024], reply[4096], *length, *body;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])) };
    int got = 0, n, s = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(s, (struct sockaddr *)&to, sizeof to) != 0)
        return 10;
    snprintf(request, sizeof request,
        "POST %s HTTP/1.1\r\nHost: localhost\r\n%s%s%sContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
        "Content-Length: %d\r\n\r\n%s", argv[2], argc > 4 ? "X-Exosite-CIK: " : "", argc > 4 ? argv[4] : "",
        argc > 4 ? "\r\n" : "", (int)strlen(argv[3]), argv[3]);
    if (write(s, request, strlen(request)) < 0)
        return 11;
    for (;;) {
        n = read(s, reply + got, sizeof reply - 1 - got);
        if (n <= 0)
            return 12;
        got += n;
        reply[got] = 0;
        length = strstr(reply, "Content-Length: ");
        body = strstr(reply, "\r\n\r\n");
        if (!body)
            continue;
        if (!length || length > body)
            return 13;
        if (strlen(body + 4) >= (size_t)atoi(length + strlen("Content-Length: ")))
            break;
    }
    if (strncmp(reply, "HTTP/1.1 20", 11) != 0)
        return 14;
    fputs(body + 4, stdout);
    close(s);
    return 0;
}
"#;
