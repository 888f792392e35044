//! What minreq and the relay say of a request, put together: whether the answer is whole, and if not, why.

use super::error::TransportError;
use super::framing::{Verdict, MAX_HEAD};
use super::proxy::TunnelError;
use super::relay::{Account, End};
use super::resolve::ResolveError;
use super::transport::{Fault, Head, Received};
use super::url::Base;
use super::watchdog::Expired;
use crate::sys::clock;
use crate::sys::epoch::BUILD_EPOCH;

/// The answer's head if the answer is whole.
pub(crate) fn judge(base: &Base, result: Result<Received, Fault>, account: &Account) -> Result<Head, TransportError> {
    let host = base.authority();
    let fault = match result {
        Ok(received) => match missing(&received, account) {
            // A refusal is understood all the same.
            None if account.verdict == Some(Verdict::Excess) && received.head.status < 300 => {
                Fault::Known(TransportError::Malformed(host.clone(), "more came than it announced".to_string()))
            }
            None => return Ok(received.head),
            Some(what) => Fault::Known(TransportError::Truncated(host.clone(), what)),
        },
        Err(fault) => fault,
    };
    if let Fault::Known(TransportError::Sink(e)) = fault {
        return Err(TransportError::Sink(e));
    }
    // Why the relay ended the request comes before what minreq made of that.
    if let Some(error) = relayed(&host, account) {
        return Err(error);
    }
    Err(match fault {
        // Whatever the last head was cut to: the ones before it were too many.
        Fault::Known(error @ TransportError::TooLarge(..)) => error,
        // What minreq read out of half a head says nothing.
        _ if account.verdict == Some(Verdict::CutHead) => TransportError::Truncated(host, closed(account)),
        Fault::Known(error) => error,
        fault => from_minreq(base, host, fault, account),
    })
}

fn closed(account: &Account) -> String {
    match account.end {
        End::Broken(kind) => format!("the connection broke in its head: {kind}"),
        _ => "the server closed the connection in its head".to_string(),
    }
}

/// What an answer that minreq takes for whole lacks.
fn missing(received: &Received, account: &Account) -> Option<String> {
    let is_empty = received.bytes == 0 && !matches!(received.head.status, 204 | 304);
    let is_unframed = !received.is_chunked && !received.has_length;
    match account.verdict {
        Some(Verdict::Whole | Verdict::Excess) => None,
        // Only the end of the connection ends such a body, and an error is no end.
        Some(Verdict::Unframed) if account.end == End::Server => None,
        Some(_) => Some(came(received.bytes)),
        // TLS: the library tells a cut connection from a closed one. What is left is a server (or the balancer before it)
        // that closes properly in the middle of its answer: in the head, where an empty body without a length shows it,
        None if is_unframed && is_empty => Some("it ends with its head, which gives no length".to_string()),
        // or between two chunks. One that means to close says so; this one closed as its upstream died.
        None if received.is_chunked && account.server_closed && !says_close(&received.head) => {
            Some(came(received.bytes))
        }
        None => None,
    }
}

fn came(bytes: u64) -> String {
    format!("{bytes} bytes of its body came")
}

fn says_close(head: &Head) -> bool {
    head.header("connection").is_some_and(|value| value.to_ascii_lowercase().contains("close"))
}

/// The relay's reason, where it ended the request.
fn relayed(host: &str, account: &Account) -> Option<TransportError> {
    let host = host.to_string();
    Some(match account.end {
        End::Client | End::Server | End::Broken(_) => return None,
        End::Expired(Expired::Stalled(time)) => TransportError::Stalled(host, time),
        End::Expired(Expired::TimedOut(time)) => TransportError::TimedOut(host, time),
        End::Expired(Expired::TooSlow) => TransportError::TooSlow(host),
        End::Garbage => TransportError::Malformed(host, "it is no HTTP".to_string()),
        End::LongHead => TransportError::TooLarge(host, "head", MAX_HEAD as u64),
        End::Flood => TransportError::Malformed(host, "it is mostly framing".to_string()),
        End::OldTls => {
            let why = "it offers only TLS 1.1 or older, and TLS 1.2 is the least".to_string();
            TransportError::Tls { host, why, is_clock: false }
        }
        End::Loopback(kind) => TransportError::Local(kind.to_string()),
    })
}

/// minreq's reason, where the server or minreq ended the request.
fn from_minreq(base: &Base, host: String, fault: Fault, account: &Account) -> TransportError {
    let text = match fault {
        Fault::Known(error) => return error,
        Fault::Short(came, announced) => {
            return TransportError::Truncated(host, format!("{came} of {announced} bytes came"));
        }
        Fault::Nothing => return TransportError::Truncated(host, "it has no status".to_string()),
        Fault::Minreq(text) => text,
    };
    let lower = text.to_ascii_lowercase();
    // The server closes, too, where one of us has refused the other.
    let is_refusal = ["certificate", "not valid for name", "issuer", "alert"].iter().any(|word| lower.contains(word));
    if !(base.https && is_refusal) && account.server_closed {
        return TransportError::Truncated(host, "the server closed the connection".to_string());
    }
    if base.https {
        return tls(host, text);
    }
    TransportError::Malformed(host, text)
}

/// Words of a TLS library, in lower case, and what to do: certificates that people make by hand (docs/spec/failures.md, "Doubtful inputs").
const ADVICE: [(&[&str], &str); 2] = [
    (&["causedasendentity"], "the certificate is a CA's: have it sign one for the server"),
    (
        &["not valid for name", "notvalidforname", "hostname mismatch", "ip address mismatch"],
        "the server's name must stand in the certificate's subjectAltName",
    ),
];

fn tls(host: String, why: String) -> TransportError {
    let lower = why.to_ascii_lowercase();
    let now = clock::unix_seconds();
    let is_clock = now < BUILD_EPOCH
        || ["expired", "not yet valid", "not valid yet", "notvalidyet"].iter().any(|word| lower.contains(word));
    // What OpenSSL says of a certificate stands behind its own file names and numbers.
    let why = match why.rsplit_once(":: ") {
        Some((_, verdict)) => verdict.to_string(),
        None => why,
    };
    let advice = ADVICE.iter().find(|(words, _)| words.iter().any(|word| lower.contains(word)));
    let why = advice.map_or(why.clone(), |(_, advice)| [&why, " (", *advice, ")"].concat());
    let why = if is_clock { format!("{why} (the system clock says {now} s since 1970)") } else { why };
    TransportError::Tls { host, why, is_clock }
}

pub(crate) fn unresolved(host: &str, error: ResolveError) -> TransportError {
    let why = match error {
        ResolveError::Silent(limit) => format!("the resolver did not answer within {} s", limit.as_secs()),
        ResolveError::StillSilent => "the resolver has not answered an earlier question yet".to_string(),
        ResolveError::Failed(e) => e.to_string(),
        ResolveError::NoAddress => "it has no address".to_string(),
    };
    TransportError::Resolve(host.to_string(), why)
}

pub(crate) fn cannot_be_reached(error: &TransportError) -> String {
    match error {
        TransportError::Resolve(_, why) => format!("cannot be resolved: {why}"),
        TransportError::Connect(_, e) => format!("cannot be connected to: {e}"),
        other => other.to_string(),
    }
}

pub(crate) fn no_way_through(error: &TunnelError, port: u16) -> String {
    match error {
        TunnelError::WantsCredentials => {
            "wants credentials: give them in the variable, as http://user:password@host:port".to_string()
        }
        TunnelError::Refused(line) => format!("answered '{line}': it must allow CONNECT to port {port}"),
        TunnelError::Closed => "closed the connection before it had answered".to_string(),
        TunnelError::Garbage => "answered with something that is no HTTP".to_string(),
        TunnelError::Silent => "did not answer in time".to_string(),
        TunnelError::Broken(kind) => format!("cannot be talked to: {kind}"),
    }
}
