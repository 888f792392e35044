//! Which local user is at the other end of a loopback connection, as the kernel's tables of TCP sockets say it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};

/// The tables: a client's socket may be an IPv6 one also where it speaks IPv4.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// So much of a table is read, in bytes: some 100,000 sockets.
const MAX_TABLE: u64 = 16 * 1024 * 1024;

/// The user who holds the other end; `None` where the kernel does not tell, or nobody holds it any more.
#[must_use]
pub fn user(stream: &TcpStream) -> Option<u32> {
    let (client, server) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
    if !client.ip().to_canonical().is_loopback() {
        return None;
    }
    TABLES.iter().find_map(|table| find(&mut BufReader::new(File::open(table).ok()?.take(MAX_TABLE)), client, server))
}

/// The user of the socket from `client` to `server` in a table's text.
fn find(table: &mut dyn BufRead, client: SocketAddr, server: SocketAddr) -> Option<u32> {
    let forms = [spelled(client, server, false), spelled(client, server, true)];
    let mut line = String::new();
    loop {
        line.clear();
        if table.read_line(&mut line).ok()? == 0 {
            return None;
        }
        // sl, local, remote, state, queues, timer, retransmits, uid, timeout, inode
        let mut words = line.split_ascii_whitespace().skip(1);
        let ends = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if !forms.iter().any(|(from, to)| *from == ends.0 && *to == ends.1) {
            continue;
        }
        let (user, inode) = (words.nth(4)?, words.nth(1)?);
        // One that its process has closed has no inode, and shows root in the place of its user.
        return user.parse().ok().filter(|_| inode != "0");
    }
}

/// Both ends as a table spells them: each 32 bits of an address as a number of this machine, in hexadecimal.
fn spelled(client: SocketAddr, server: SocketAddr, is_mapped: bool) -> (String, String) {
    let one = |address: SocketAddr| {
        let bytes: Vec<u8> = match address.ip().to_canonical() {
            IpAddr::V4(v4) if is_mapped => v4.to_ipv6_mapped().octets().to_vec(),
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let mut text = String::new();
        for word in bytes.chunks_exact(4) {
            let word = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
            text.push_str(&format!("{word:08X}"));
        }
        text + &format!(":{:04X}", address.port())
    };
    (one(client), one(server))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_user_at_the_other_end_of_either_loopback() {
        let own = crate::sys::process::user();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            assert_eq!(user(&accepted), Some(own), "{address}");
            drop(client);
            // Another test's child has a copy of it, until it becomes its program.
            let is_gone = || {
                user(&accepted).is_none() || {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                    false
                }
            };
            assert!((0..1000).any(|_| is_gone()), "{address}: closed, it shows root");
        }
    }

    #[test]
    fn a_mapped_address_and_a_closed_socket() {
        let (client, server) = ("127.0.0.1:4660".parse().unwrap(), "127.0.0.1:8090".parse().unwrap());
        let (from, to) = spelled(client, server, true);
        let row =
            |inode: &str| format!("  1: {from} {to} 01 00000000:00000000 00:00000000 00000000 1000 0 {inode} 1 x\n");
        assert_eq!(find(&mut row("77").as_bytes(), client, server), Some(1000));
        assert_eq!(find(&mut row("0").as_bytes(), client, server), None);
        assert_eq!(find(&mut "sl local\nnonsense\n".as_bytes(), client, server), None);
    }
}
