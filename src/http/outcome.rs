//! What minreq and the relay say of a request, put together: whether the answer is whole, and if not, why.

use std::io;

use super::account::{RelayAccount, RelayEnd};
use super::error::TransportError;
use super::framing::{Verdict, MAX_HEAD};
use super::proxy::TunnelError;
use super::received::{HttpHead, Received, TransportFault};
use super::resolve::ResolveError;
use super::url::BaseUrl;
use super::watchdog::Expired;
use crate::sys::clock;
use crate::sys::epoch::BUILD_EPOCH;

/// The answer's head if the answer is whole.
pub(crate) fn judge(
    base: &BaseUrl,
    result: Result<Received, TransportFault>,
    account: &RelayAccount,
) -> Result<HttpHead, Box<TransportError>> {
    let host = base.authority();
    let fault = match result {
        Ok(received) => match missing(&received, account) {
            // A refusal is understood all the same.
            None if account.verdict == Verdict::Excess && received.head.status < 300 => {
                TransportError::Malformed(host.clone(), "more came than it announced".to_string()).into()
            }
            None => return Ok(received.head),
            Some(what) => TransportError::Truncated(host.clone(), what).into(),
        },
        Err(fault) => fault,
    };
    let fault = match fault {
        TransportFault::Known(error) if matches!(*error, TransportError::Sink(_)) => return Err(error),
        fault => fault,
    };
    // Why the relay ended the request comes before what minreq made of that.
    if let Some(error) = relayed(&host, account) {
        return Err(error.into());
    }
    Err(match fault {
        // What minreq read out of half a head says nothing.
        _ if account.verdict == Verdict::CutHead => TransportError::Truncated(host, closed(account)).into(),
        TransportFault::Known(error) => error,
        fault => from_minreq(host, fault, account),
    })
}

fn closed(account: &RelayAccount) -> String {
    match account.end {
        RelayEnd::Broken(kind) if kind != io::ErrorKind::UnexpectedEof => {
            format!("the connection broke in its head: {kind}")
        }
        _ => "the server closed the connection in its head".to_string(),
    }
}

/// What an answer that minreq takes for whole lacks.
fn missing(received: &Received, account: &RelayAccount) -> Option<String> {
    match account.verdict {
        Verdict::Whole | Verdict::Excess => None,
        // Only the end of the connection ends such a body, and an error is no end.
        Verdict::Unframed if account.end == RelayEnd::Server => None,
        _ => Some(format!("{} bytes of its body came", received.bytes)),
    }
}

/// The relay's reason, where it ended the request.
fn relayed(host: &str, account: &RelayAccount) -> Option<TransportError> {
    let host = host.to_string();
    Some(match &account.end {
        RelayEnd::Client | RelayEnd::Server | RelayEnd::Broken(_) => return None,
        RelayEnd::Expired(Expired::Stalled(time)) => TransportError::Stalled(host, *time),
        RelayEnd::Expired(Expired::TimedOut(time)) => TransportError::TimedOut(host, *time),
        RelayEnd::Expired(Expired::TooSlow) => TransportError::TooSlow(host),
        RelayEnd::Garbage => TransportError::Malformed(host, "it is no HTTP".to_string()),
        RelayEnd::LongHead => TransportError::TooLarge(host, "head", MAX_HEAD as u64),
        RelayEnd::Tls(why) => no_tls(host, why.clone()),
        RelayEnd::Loopback(kind) => TransportError::Local(kind.to_string()),
    })
}

/// minreq's reason, where the server or minreq ended the request.
fn from_minreq(host: String, fault: TransportFault, account: &RelayAccount) -> Box<TransportError> {
    let text = match fault {
        TransportFault::Known(error) => return error,
        TransportFault::Short(came, announced) => {
            return TransportError::Truncated(host, format!("{came} of {announced} bytes came")).into();
        }
        TransportFault::Nothing => return TransportError::Truncated(host, "it has no status".to_string()).into(),
        TransportFault::Minreq(text) => text,
    };
    if account.server_closed {
        return TransportError::Truncated(host, "the server closed the connection".to_string()).into();
    }
    TransportError::Malformed(host, text).into()
}

/// Words of a TLS library, in lower case, and what to do: certificates that people make by hand (docs/spec/failures.md, "Doubtful inputs").
const ADVICE: [(&[&str], &str); 3] = [
    (&["causedasendentity"], "the certificate is a CA's: have it sign one for the server"),
    (
        &["not valid for name", "notvalidforname", "hostname mismatch", "ip address mismatch"],
        "the server's name must stand in the certificate's subjectAltName",
    ),
    (&["unsupported protocol", "protocolversion", "protocol version"], "TLS 1.2 is the least"),
];

/// No TLS, for a library's reason.
pub(crate) fn no_tls(host: String, why: String) -> TransportError {
    let lower = why.to_ascii_lowercase();
    let now = clock::unix_seconds();
    let is_clock = now < BUILD_EPOCH
        || ["expired", "not yet valid", "not valid yet", "notvalidyet"].iter().any(|word| lower.contains(word));
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
