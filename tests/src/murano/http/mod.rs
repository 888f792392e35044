//! HTTP/1.1 by hand, on plain sockets: the faults need control over every byte that a library would hide.

pub mod body;
pub mod date;
pub mod form;
pub mod framing;
pub mod request;
pub mod response;
pub mod send;
pub mod socket;
