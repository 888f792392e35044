//! Over which link a server is reached: what is known of it before a byte is sent.

use std::net::{IpAddr, TcpStream};

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// This machine's address: that of the link that it goes over.
    pub local: IpAddr,
    /// The server's, or the proxy's.
    pub peer: IpAddr,
}

impl Route {
    pub(crate) fn of(stream: &TcpStream) -> Option<Route> {
        let ends = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
        Some(Route { local: ends.0.ip().to_canonical(), peer: ends.1.ip().to_canonical() })
    }
}
