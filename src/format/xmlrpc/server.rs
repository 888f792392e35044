//! The server's side of XML-RPC: a call read, an answer written.

use super::{RpcError, RpcParser, Value, MAX_BYTES};
use crate::format::base64;
use crate::format::python;
use crate::format::xml::{escape_into, XmlReader, XmlToken};

/// Reads a call: the method's name and its parameters, of which there may be no word at all. Bytes that are no UTF-8 become U+FFFD.
///
/// # Errors
/// Why it cannot be understood.
pub fn read_call(bytes: &[u8]) -> Result<(String, Vec<Value>), RpcError> {
    if bytes.len() > MAX_BYTES {
        return Err(RpcError::TooLarge);
    }
    let text = String::from_utf8_lossy(bytes);
    let mut parser = RpcParser { reader: XmlReader::new(&text), ahead: None, values: 0 };
    parser.open("methodCall")?;
    parser.open("methodName")?;
    let method = parser.text("methodName")?.trim().to_string();
    let mut params = Vec::new();
    if parser.try_open("params")? {
        while parser.try_open("param")? {
            parser.open("value")?;
            params.push(plain(parser.value()?));
            parser.close("param")?;
        }
        parser.close("params")?;
    }
    parser.close("methodCall")?;
    match parser.next_tag()? {
        XmlToken::End if !method.is_empty() => Ok((method, params)),
        _ => Err(RpcError::NoAnswer),
    }
}

/// Base64 is text by another way, and a double is wanted for its whole part.
fn plain(value: Value) -> Value {
    match value {
        Value::Other("base64", text) => {
            let bytes = base64::decode(&text).unwrap_or_default();
            Value::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
        Value::Other("double", text) => match python::whole_part(&text) {
            Some(number) => Value::Int(number),
            None => Value::Other("double", text),
        },
        other => other,
    }
}

/// The answer that a method returned this.
#[must_use]
pub fn write_answer(value: &Value) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n");
    write(&mut out, value);
    out.push_str("\n</param>\n</params>\n</methodResponse>\n");
    out
}

/// The answer that it did not.
#[must_use]
pub fn write_fault(code: i32, text: &str) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n");
    write(&mut out, &fault(code, text));
    out.push_str("\n</fault>\n</methodResponse>\n");
    out
}

/// A fault as a value.
#[must_use]
pub fn fault(code: i32, text: &str) -> Value {
    let code = ("faultCode".to_string(), Value::Int(i64::from(code)));
    Value::Struct(vec![code, ("faultString".to_string(), Value::Text(text.to_string()))])
}

/// Values nest only as deep as this program makes them.
fn write(out: &mut String, value: &Value) {
    let mut tagged = |name: &str, text: &str| {
        for part in ["<value><", name, ">", text, "</", name, "></value>"] {
            out.push_str(part);
        }
    };
    match value {
        Value::Nil => out.push_str("<value><nil/></value>"),
        Value::Bool(yes) => tagged("boolean", if *yes { "1" } else { "0" }),
        // A client knows 32 bits.
        Value::Int(number) => tagged("int", &(*number).clamp(i64::from(i32::MIN), i64::from(i32::MAX)).to_string()),
        Value::Text(text) | Value::Other(_, text) => {
            out.push_str("<value><string>");
            escape_into(out, text);
            out.push_str("</string></value>");
        }
        Value::Array(items) => {
            out.push_str("<value><array><data>\n");
            for item in items {
                write(out, item);
                out.push('\n');
            }
            out.push_str("</data></array></value>");
        }
        Value::Struct(members) => {
            out.push_str("<value><struct>\n");
            for (name, value) in members {
                out.push_str("<member>\n<name>");
                escape_into(out, name);
                out.push_str("</name>\n");
                write(out, value);
                out.push_str("\n</member>\n");
            }
            out.push_str("</struct></value>");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::xmlrpc::{method_call, method_response, MethodResponse, Param};

    #[test]
    fn calls_are_read_as_clients_write_them() {
        let call = method_call("supervisor.startProcess", &[Param::Text("a<b>"), Param::Bool(false), Param::Int(-3)]);
        let params = vec![Value::Text("a<b>".into()), Value::Bool(false), Value::Int(-3)];
        assert_eq!(read_call(call.as_bytes()).unwrap(), ("supervisor.startProcess".into(), params));
        for (text, params) in [
            ("", vec![]),
            ("<params/>", vec![]),
            ("<params><param><value>x</value></param></params>", vec![Value::Text("x".into())]),
            ("<params><param><value><base64>Zm9v</base64></value></param></params>", vec![Value::Text("foo".into())]),
            ("<params>\n<param> <value><double>3.9</double></value></param></params>\n", vec![Value::Int(3)]),
        ] {
            let call =
                format!("<?xml version=\"1.0\"?>\n<methodCall> <methodName>m.n</methodName>{text}</methodCall>\n");
            assert_eq!(read_call(call.as_bytes()).unwrap(), ("m.n".into(), params), "{text}");
        }
        for bad in [
            "",
            "<methodCall/>",
            "<methodCall><methodName></methodName></methodCall>",
            "<methodCall><methodName>x</methodName>",
            "<a/>",
        ] {
            assert!(read_call(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_are_read_again() {
        let value = Value::Array(vec![
            Value::Text("\u{1b}[1m & <x>\r\n".into()),
            Value::Int(1 << 40),
            Value::Struct(vec![("a".into(), Value::Bool(true)), ("b".into(), Value::Array(vec![]))]),
        ]);
        let Ok(MethodResponse::Value(Value::Array(items))) = method_response(write_answer(&value).as_bytes()) else {
            panic!()
        };
        assert_eq!(items[0], Value::Text("\u{fffd}[1m & <x>\r\n".into()));
        assert_eq!(items[1], Value::Int(i64::from(i32::MAX)));
        assert_eq!(items[2].get("a"), Some(&Value::Bool(true)));
        let fault = method_response(write_fault(10, "BAD_NAME: x").as_bytes()).unwrap();
        assert_eq!(fault, MethodResponse::Fault { code: 10, text: "BAD_NAME: x".into() });
    }
}
