//! TLS by the system's OpenSSL.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use ::openssl::error::ErrorStack;
use ::openssl::ssl::{
    Error, ErrorCode, Ssl, SslContext, SslMethod, SslMode, SslOptions, SslStream, SslVerifyMode, SslVersion,
};
use ::openssl::x509::verify::X509CheckFlags;
use ::openssl::x509::{X509Ref, X509VerifyResult};

use crate::http::roots::Roots;
use crate::http::wire::Wire;

/// For TLS 1.2; the distribution's own policy, as a security level, comes on top.
const CIPHERS: &str = "DEFAULT:!aNULL:!eNULL:!MD5:!3DES:!DES:!RC4:!IDEA:!SEED:!aDSS:!SRP:!PSK";

pub(crate) struct Session {
    stream: SslStream<Wire>,
    /// The library waits for room in the wire.
    wants_write: bool,
    /// The handshake is over, and the certificate is a server's.
    is_ready: bool,
}

impl Session {
    pub(crate) fn new(wire: Wire, host: &str, roots: &Roots) -> Result<Session, String> {
        let ssl = prepare(host, roots).map_err(|e| e.to_string())?;
        let stream = SslStream::new(ssl, wire).map_err(|e| e.to_string())?;
        Ok(Session { stream, wants_write: true, is_ready: false })
    }

    pub(crate) fn wire(&self) -> &Wire {
        self.stream.get_ref()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }

    pub(crate) fn wants_write(&self) -> bool {
        self.wants_write
    }

    pub(crate) fn has_more(&self) -> bool {
        self.stream.ssl().pending() > 0
    }

    fn check(&mut self) -> io::Result<()> {
        if self.is_ready || !self.stream.ssl().is_init_finished() {
            return Ok(());
        }
        match self.stream.ssl().peer_certificate() {
            // As rustls says it.
            Some(certificate) if is_ca(&certificate) => Err(failed("invalid peer certificate: CaUsedAsEndEntity")),
            Some(_) => {
                self.is_ready = true;
                Ok(())
            }
            None => Err(failed("the server has no certificate")),
        }
    }

    fn translate(&mut self, error: &Error) -> io::Result<usize> {
        match error.code() {
            ErrorCode::ZERO_RETURN => Ok(0),
            ErrorCode::WANT_READ => Err(io::ErrorKind::WouldBlock.into()),
            ErrorCode::WANT_WRITE => {
                self.wants_write = true;
                Err(io::ErrorKind::WouldBlock.into())
            }
            _ if self.wire().is_ended => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Err(error.io_error().map_or_else(|| failed(&self.reason(error)), |e| e.kind().into())),
        }
    }

    fn reason(&self, error: &Error) -> String {
        let verdict = self.stream.ssl().verify_result();
        if verdict != X509VerifyResult::OK {
            return format!("invalid peer certificate: {}", verdict.error_string());
        }
        let told = error.ssl_error().and_then(|stack| stack.errors().first()?.reason());
        told.map_or_else(|| error.to_string(), str::to_string)
    }
}

fn prepare(host: &str, roots: &Roots) -> Result<Ssl, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    context.set_cipher_list(CIPHERS)?;
    context.set_options(SslOptions::NO_COMPRESSION | SslOptions::NO_RENEGOTIATION);
    // Buffers of 16 kB each way are given back whenever they are empty: `gwe` may wait for its next order with one session open.
    context.set_mode(
        SslMode::AUTO_RETRY
            | SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::RELEASE_BUFFERS,
    );
    context.set_verify(SslVerifyMode::PEER);
    match roots {
        Roots::Bundle(file) => context.load_verify_locations(Some(file), None)?,
        Roots::Folder(folder) => context.load_verify_locations(None, Some(folder))?,
        Roots::System => context.set_default_verify_paths()?,
    }
    let mut ssl = Ssl::new(&context.build())?;
    // The common name is no name of a server any more (RFC 9525, 2).
    ssl.param_mut().set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
    match host.parse::<IpAddr>() {
        Ok(address) => ssl.param_mut().set_ip(address)?,
        Err(_) => {
            ssl.set_hostname(host)?;
            ssl.param_mut().set_host(host)?;
        }
    }
    ssl.set_connect_state();
    Ok(ssl)
}

/// Whether a certificate's basicConstraints say that it is a CA's. The crate cannot say, so its bytes are looked through;
/// they have been verified by now, and whoever signed them meant what they say.
fn is_ca(certificate: &X509Ref) -> bool {
    const BASIC_CONSTRAINTS: &[u8] = &[6, 3, 0x55, 0x1d, 0x13];
    const TRUE: &[u8] = &[1, 1, 0xff];
    let der = certificate.to_der().unwrap_or_default();
    let places = der.windows(BASIC_CONSTRAINTS.len()).enumerate().filter(|(_, bytes)| *bytes == BASIC_CONSTRAINTS);
    places.map(|(place, _)| der.get(place + BASIC_CONSTRAINTS.len()..).unwrap_or(&[])).any(|value| {
        let value = value.strip_prefix(TRUE).unwrap_or(value);
        // OCTET STRING, length; SEQUENCE, length; what it begins with.
        matches!(value, [4, _, 0x30, _, rest @ ..] if rest.starts_with(TRUE))
    })
}

fn failed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl Read for Session {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.wants_write = false;
        let result = self.stream.ssl_read(into);
        self.check()?;
        result.or_else(|e| self.translate(&e))
    }
}

impl Write for Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.ssl_write(bytes).or_else(|e| self.translate(&e))
    }

    /// What the library has to send it sends at the next read.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
