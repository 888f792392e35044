//! Answers as supervisord gives them, hostile ones, and Python's own reader as the judge.

use super::*;
use std::process::{Command, Stdio};

fn response(value: &str) -> Result<MethodResponse, RpcError> {
    let text = format!(
        "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n{value}\n</param>\n</params>\n</methodResponse>\n"
    );
    method_response(text.as_bytes())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_string())
}

#[test]
fn every_type_is_read() {
    let member = |name: &str, value| (name.to_string(), value);
    for (xml, want) in [
        ("<value><string>a &lt; b</string></value>", text("a < b")),
        ("<value> bare &amp; spaced </value>", text(" bare & spaced ")),
        ("<value/>", text("")),
        ("<value></value>", text("")),
        ("<value><string/></value>", text("")),
        ("<value><![CDATA[<raw>]]></value>", text("<raw>")),
        ("<value>  <int> 7 </int>\n</value>", Value::Int(7)),
        ("<value><i4>-2147483648</i4></value>", Value::Int(-2_147_483_648)),
        ("<value><i8>9223372036854775807</i8></value>", Value::Int(i64::MAX)),
        ("<value><boolean>1</boolean></value>", Value::Bool(true)),
        ("<value><boolean>0</boolean></value>", Value::Bool(false)),
        ("<value><nil/></value>", Value::Nil),
        ("<value><double>1.5</double></value>", Value::Other("double", "1.5".into())),
        ("<value><base64>\nYQ==\n</base64></value>", Value::Other("base64", "\nYQ==\n".into())),
        (
            "<value><dateTime.iso8601>20240101T00:00:00</dateTime.iso8601></value>",
            Value::Other("dateTime.iso8601", "20240101T00:00:00".into()),
        ),
        ("<value><array><data>\n</data></array></value>", Value::Array(vec![])),
        ("<value><array><data/></array></value>", Value::Array(vec![])),
        ("<value><struct/></value>", Value::Struct(vec![])),
        (
            "<value><array><data><value>a</value> <!-- c --> <value><array><data><value><int>1</int></value></data></array></value></data></array></value>",
            Value::Array(vec![text("a"), Value::Array(vec![Value::Int(1)])]),
        ),
        (
            "<value><struct>\n<member>\n<name>a b</name>\n<value><int>1</int></value>\n</member>\n<member><name/><value><struct><member><name>x</name><value/></member></struct></value></member></struct></value>",
            Value::Struct(vec![member("a b", Value::Int(1)), member("", Value::Struct(vec![member("x", text(""))]))]),
        ),
    ] {
        assert_eq!(response(xml), Ok(MethodResponse::Value(want)), "{xml}");
    }
}

#[test]
fn faults_are_read() {
    let xml = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>92</int></value></member>\
        <member><name>faultString</name><value><string>CANT_REREAD: x</string></value></member></struct></value></fault></methodResponse>";
    assert_eq!(
        method_response(xml.as_bytes()),
        Ok(MethodResponse::Fault { code: 92, text: "CANT_REREAD: x".to_string() })
    );
    let no_code = xml.replace("faultCode", "code");
    assert_eq!(method_response(no_code.as_bytes()), Err(RpcError::NoAnswer));
}

#[test]
fn what_is_no_answer_is_named() {
    for (xml, want) in [
        ("<value><int>x</int></value>", RpcError::BadValue),
        ("<value><int></int></value>", RpcError::BadValue),
        ("<value><int>9223372036854775808</int></value>", RpcError::BadValue),
        ("<value><boolean>true</boolean></value>", RpcError::BadValue),
        ("<value><unheard/></value>", RpcError::BadValue),
        ("<value>a<int>1</int></value>", RpcError::NoAnswer),
        ("<value><int>1</int>a</value>", RpcError::NoAnswer),
        ("<value><int>1</i4></value>", RpcError::NoAnswer),
        ("<value><array><value/></array></value>", RpcError::NoAnswer),
        ("<value><struct><member><value/></member></struct></value>", RpcError::NoAnswer),
        ("<int>1</int>", RpcError::NoAnswer),
        ("<value>", RpcError::NoAnswer),
        ("", RpcError::NoAnswer),
        ("<value>&e;</value>", RpcError::Xml(XmlError::BadReference)),
    ] {
        assert_eq!(response(xml), Err(want), "{xml}");
        assert!(!want.to_string().is_empty());
    }
    for page in ["", "<html><body>500</body></html>", "<methodCall/>", "\u{0}\u{0}"] {
        assert_eq!(method_response(page.as_bytes()), Err(RpcError::NoAnswer), "{page}");
    }
    assert_eq!(method_response(b"<!DOCTYPE x><methodResponse/>"), Err(RpcError::Xml(XmlError::Declaration)));
}

#[test]
fn an_answer_keeps_to_its_limits() {
    let nested = |depth: usize| {
        let (open, close) = ("<value><array><data>", "</data></array></value>");
        response(&format!("{}{}", open.repeat(depth), close.repeat(depth)))
    };
    assert!(nested(MAX_DEPTH).is_ok());
    assert_eq!(nested(MAX_DEPTH + 1), Err(RpcError::TooDeep));
    assert_eq!(nested(20_000), Err(RpcError::TooDeep), "a parser that recursed would overflow its stack");
    let many =
        |count: usize| response(&format!("<value><array><data>{}</data></array></value>", "<value/>".repeat(count)));
    assert!(many(MAX_VALUES - 1).is_ok());
    assert_eq!(many(MAX_VALUES), Err(RpcError::TooLarge));
    assert_eq!(method_response(&vec![b' '; MAX_BYTES + 1]), Err(RpcError::TooLarge));
}

#[test]
fn an_answer_cut_anywhere_is_no_answer() {
    let whole = "<methodResponse><params><param><value><struct><member><name>n</name><value><array><data><value>a&amp;b</value>\
        </data></array></value></member></struct></value></param></params></methodResponse>";
    assert!(method_response(whole.as_bytes()).is_ok());
    for end in 0..whole.len() {
        assert!(method_response(&whole.as_bytes()[..end]).is_err(), "cut after {end} bytes");
    }
}

/// Every byte replaced by each of a few that matter, and every stretch dropped: nothing may panic.
#[test]
fn no_bytes_make_it_panic() {
    let whole = "<?xml version='1.0'?><methodResponse><params><param><value><struct><member><name>a</name><value><i4>1</i4></value>\
        </member></struct></value></param></params></methodResponse>";
    for at in 0..whole.len() {
        for byte in *b"<>/&;![]-'\" a0\0\xff\xc3" {
            let mut bytes = whole.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = method_response(&bytes);
        }
        for len in 1..40.min(whole.len() - at) {
            let mut bytes = whole.as_bytes().to_vec();
            bytes.drain(at..at + len);
            let _ = method_response(&bytes);
        }
    }
}

#[test]
fn calls_are_written() {
    assert_eq!(
        method_call("supervisor.stopProcessGroup", &[Param::Text("a<b>&c"), Param::Bool(false), Param::Int(-7)]),
        "<?xml version='1.0'?>\n<methodCall><methodName>supervisor.stopProcessGroup</methodName><params>\
         <param><value><string>a&lt;b&gt;&amp;c</string></value></param>\
         <param><value><boolean>0</boolean></value></param>\
         <param><value><int>-7</int></value></param></params></methodCall>\n"
    );
}

#[test]
fn members_are_found_by_name() {
    let value = Value::Struct(vec![("a".into(), Value::Int(1)), ("a".into(), Value::Int(2))]);
    assert_eq!(value.get("a").and_then(Value::as_int), Some(2), "the last of two, as in Python");
    assert_eq!(value.get("b"), None);
    assert_eq!(Value::Nil.get("a"), None);
    assert_eq!((value.as_text(), value.as_array(), Value::Nil.as_int()), (None, None, None));
}

/// One unambiguous line for a value; the script below writes the same.
fn canonical(value: &Value, out: &mut String) {
    let hex = |out: &mut String, text: &str| out.push_str(&to_hex(text));
    match value {
        Value::Nil => out.push('n'),
        Value::Bool(yes) => out.push(if *yes { 'T' } else { 'F' }),
        Value::Int(number) => out.push_str(&format!("i{number};")),
        Value::Text(text) => {
            out.push('s');
            hex(out, text);
            out.push(';');
        }
        Value::Other(kind, text) => {
            out.push_str(&format!("o{kind}:"));
            hex(out, text.trim());
            out.push(';');
        }
        Value::Array(items) => {
            out.push('[');
            items.iter().for_each(|item| canonical(item, out));
            out.push(']');
        }
        Value::Struct(members) => {
            out.push('{');
            for (name, value) in members {
                hex(out, name);
                out.push('=');
                canonical(value, out);
            }
            out.push('}');
        }
    }
}

/// Random values, as `xmlrpc.client.dumps` marshals them, and what they are.
const MARSHAL: &str = r"
import random, xmlrpc.client as x, datetime, base64
random.seed(7)
def hexed(s): return s.encode('utf-8').hex()
def text():
    return ''.join(random.choice('ab <>&;\'\x22\n\t]é\u20ac\U0001F600=%') for _ in range(random.randrange(9)))
def make(depth):
    k = random.randrange(9 if depth else 7)
    if k == 0: return text()
    if k == 1: return random.choice([0, 1, -1, 2**31-1, -2**31, random.randrange(10**6)])
    if k == 2: return random.random() < .5
    if k == 3: return None
    if k == 4: return random.choice([0.0, -1.5, 1e300, 3.25])
    if k == 5: return datetime.datetime(2024, 1, 2, 3, 4, random.randrange(60))
    if k == 6: return x.Binary(bytes(random.randrange(256) for _ in range(random.randrange(90))))
    if k == 7: return [make(depth-1) for _ in range(random.randrange(4))]
    return {text(): make(depth-1) for _ in range(random.randrange(4))}
def canon(v):
    if v is None: return 'n'
    if v is True: return 'T'
    if v is False: return 'F'
    if isinstance(v, int): return 'i%d;' % v
    if isinstance(v, str): return 's%s;' % hexed(v)
    if isinstance(v, float): return 'odouble:%s;' % hexed(repr(v))
    if isinstance(v, datetime.datetime): return 'odateTime.iso8601:%s;' % hexed(v.strftime('%Y%m%dT%H:%M:%S'))
    if isinstance(v, x.Binary): return 'obase64:%s;' % hexed(base64.encodebytes(v.data).decode().strip())
    if isinstance(v, list): return '[%s]' % ''.join(map(canon, v))
    return '{%s}' % ''.join(hexed(k) + '=' + canon(w) for k, w in v.items())
for _ in range(2000):
    v = make(4)
    print(x.dumps((v,), methodresponse=True, allow_none=True).encode().hex(), canon(v))
for code, t in ((92, 'a<b>&c'), (-1, 'é')):
    print(x.dumps(x.Fault(code, t)).encode().hex(), 'f%d:%s' % (code, hexed(t)))
";

/// Reads calls, one in hexadecimal a line, and prints what arrived.
const UNMARSHAL: &str = r"
import sys, xmlrpc.client as x
for line in sys.stdin:
    params, method = x.loads(bytes.fromhex(line.strip()))
    print(method.encode().hex(), ' '.join('%s:%s' % (type(p).__name__, str(p).encode().hex()) for p in params))
";

/// What the script prints, or `None` where this machine has no Python 3.
fn python(script: &str, input: &str) -> Option<String> {
    let child = Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        crate::sys::tests::announce_skip("needs python3");
        return None;
    };
    std::io::Write::write_all(&mut child.stdin.take()?, input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 failed");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn to_hex(text: &str) -> String {
    crate::format::hex::encode(text.as_bytes())
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn reads_what_python_marshals() {
    let Some(lines) = python(MARSHAL, "") else { return };
    let mut count = 0;
    for line in lines.lines() {
        let (xml, want) = line.split_once(' ').unwrap();
        let mut got = String::new();
        match method_response(&from_hex(xml)) {
            Ok(MethodResponse::Value(value)) => canonical(&value, &mut got),
            Ok(MethodResponse::Fault { code, text }) => got = format!("f{code}:{}", to_hex(&text)),
            Err(e) => panic!("{e}: {}", String::from_utf8_lossy(&from_hex(xml))),
        }
        assert_eq!(got, want, "{}", String::from_utf8_lossy(&from_hex(xml)));
        count += 1;
    }
    assert_eq!(count, 2002);
}

#[test]
fn python_reads_what_is_written() {
    let calls: Vec<(&str, Vec<Param<'_>>, String)> = vec![
        ("supervisor.getAllProcessInfo", vec![], String::new()),
        (
            "a.b",
            vec![Param::Text("<&>]]> é\r\n\t"), Param::Int(i32::MIN), Param::Bool(true), Param::Text("")],
            format!("str:{} int:{} bool:{} str:", to_hex("<&>]]> é\r\n\t"), to_hex("-2147483648"), to_hex("True")),
        ),
        ("x", vec![Param::Text("\u{1}\0")], format!("str:{}", to_hex("\u{fffd}\u{fffd}"))),
    ];
    let input: String = calls.iter().map(|(method, params, _)| to_hex(&method_call(method, params)) + "\n").collect();
    let Some(lines) = python(UNMARSHAL, &input) else { return };
    assert_eq!(lines.lines().count(), calls.len());
    for (line, (method, _, want)) in lines.lines().zip(calls) {
        assert_eq!(line, format!("{} {want}", to_hex(method)));
    }
}
