//! TLS over a connection of ours: one file for each library, and one for none, with the same type and the same rules.
//!
//! The rules: TLS 1.2 at least; the server's name (or address) is sent, and must stand in the subjectAltName of a certificate
//! that the roots vouch for, and that is not a CA's own; no renegotiation, no client certificates; nothing is written before
//! the server is known to be the right one; an end without close_notify is a cut. A library's words are put into
//! [`TransportError`](super::error::TransportError) by `outcome.rs`.

#[cfg(feature = "tls-rustls")]
mod rustls;
#[cfg(feature = "tls-rustls")]
pub(crate) use self::rustls::Session;

#[cfg(all(feature = "tls-openssl", not(feature = "tls-rustls")))]
mod openssl;
#[cfg(all(feature = "tls-openssl", not(feature = "tls-rustls")))]
pub(crate) use self::openssl::Session;

#[cfg(not(any(feature = "tls-openssl", feature = "tls-rustls")))]
mod none;
#[cfg(not(any(feature = "tls-openssl", feature = "tls-rustls")))]
pub(crate) use self::none::Session;

/// Whether this build speaks TLS.
pub(crate) const IS_THERE: bool = cfg!(any(feature = "tls-openssl", feature = "tls-rustls"));
