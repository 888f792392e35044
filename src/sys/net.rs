//! Network interfaces: names, MAC addresses and IP addresses, from `getifaddrs`.
//!
//! Bounded: a machine with more interfaces or addresses than the limits below shows the first of them.

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::ptr;

/// So many interfaces are looked at.
pub const MAX_INTERFACES: usize = 256;
/// So many addresses of one interface are kept.
pub const MAX_ADDRESSES: usize = 64;
/// So many entries of the system's list are walked: one for each interface and one for each address.
const MAX_ENTRIES: usize = 8192;

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// As the kernel calls it: `eth0`.
    pub name: String,
    /// The hardware address, where there is one of six bytes that are not all zero: `lo`, `ppp0` and tunnels have none.
    pub mac: Option<[u8; 6]>,
    /// In the kernel's order; IPv6 without its scope.
    pub addresses: Vec<IpAddr>,
}

/// Every interface, up or down, in the kernel's order.
///
/// # Errors
/// What `getifaddrs` said.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let list = InterfaceList::new()?;
    let mut found: Vec<Interface> = Vec::new();
    let mut next = list.first;
    for _ in 0..MAX_ENTRIES {
        // SAFETY: `next` is null or an entry of the list, which lives until `list` is dropped.
        let Some(entry) = (unsafe { next.as_ref() }) else { break };
        next = entry.ifa_next;
        // SAFETY: every entry names its interface in a string that lives as long as the list.
        let label = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy();
        if let Some(interface) = named(&mut found, name_of(&label)) {
            // SAFETY: `ifa_addr` is null or an address as long as its family says.
            unsafe { take_address(interface, entry.ifa_addr) };
        }
    }
    Ok(found)
}

/// The MAC address of an interface, upper case with colons: the form of a serial number. `None` where the interface is
/// unknown or has none.
#[must_use]
pub fn mac_address(name: &str) -> Option<String> {
    interfaces().ok()?.into_iter().find(|interface| interface.name == name)?.mac.map(spell_mac)
}

/// The name of the interface that holds an address: over which a connection from that local address runs.
#[must_use]
pub fn interface_of(address: IpAddr) -> Option<String> {
    let address = address.to_canonical();
    let holds = |interface: &Interface| interface.addresses.contains(&address);
    Some(interfaces().ok()?.into_iter().find(holds)?.name)
}

/// This machine's address from which another one would be reached now, by its routes; nothing is sent. `None`: not at all.
#[must_use]
pub fn source_for(peer: IpAddr) -> Option<IpAddr> {
    let any = if peer.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // A port is needed, and which one makes no difference.
    socket.connect((peer, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip().to_canonical())
}

/// `02:FC:00:00:00:01`.
#[must_use]
pub fn spell_mac(mac: [u8; 6]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(17);
    for (i, byte) in mac.into_iter().enumerate() {
        if i > 0 {
            text.push(':');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The system's list, freed when dropped.
struct InterfaceList {
    first: *mut libc::ifaddrs,
}

impl InterfaceList {
    fn new() -> io::Result<InterfaceList> {
        let mut first = ptr::null_mut();
        // SAFETY: `first` is a valid place for the pointer that the call returns.
        match unsafe { libc::getifaddrs(&mut first) } {
            0 => Ok(InterfaceList { first }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for InterfaceList {
    fn drop(&mut self) {
        if !self.first.is_null() {
            // SAFETY: `first` came from `getifaddrs` and is freed once, here.
            unsafe { libc::freeifaddrs(self.first) }
        }
    }
}

/// An address may be labelled `eth0:1`: the interface is `eth0`. The kernel allows no colon in an interface's name.
fn name_of(label: &str) -> &str {
    label.split(':').next().unwrap_or(label)
}

/// The interface of that name, made where it is new; `None` when there are already [`MAX_INTERFACES`] others.
fn named<'a>(found: &'a mut Vec<Interface>, name: &str) -> Option<&'a mut Interface> {
    let index = match found.iter().position(|interface| interface.name == name) {
        Some(index) => index,
        None if found.len() < MAX_INTERFACES => {
            found.push(Interface { name: name.to_string(), mac: None, addresses: Vec::new() });
            found.len() - 1
        }
        None => return None,
    };
    found.get_mut(index)
}

/// Adds what `address` says to the interface.
///
/// # Safety
/// `address` is null or points to a socket address of the length that its family has.
unsafe fn take_address(interface: &mut Interface, address: *const libc::sockaddr) {
    if address.is_null() {
        return;
    }
    let ip = match i32::from(ptr::addr_of!((*address).sa_family).read_unaligned()) {
        libc::AF_INET => {
            let v4 = address.cast::<libc::sockaddr_in>().read_unaligned();
            IpAddr::V4(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)))
        }
        libc::AF_INET6 => {
            let v6 = address.cast::<libc::sockaddr_in6>().read_unaligned();
            IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr))
        }
        libc::AF_PACKET => {
            let link = address.cast::<libc::sockaddr_ll>().read_unaligned();
            let [a, b, c, d, e, f, ..] = link.sll_addr;
            let mac = [a, b, c, d, e, f];
            interface.mac = (link.sll_halen == 6 && mac != [0; 6]).then_some(mac);
            return;
        }
        _ => return,
    };
    if interface.addresses.len() < MAX_ADDRESSES {
        interface.addresses.push(ip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_the_kernel_says_in_sys_is_what_we_see() {
        let found = interfaces().unwrap();
        let mut seen = 0;
        for entry in fs::read_dir("/sys/class/net").unwrap() {
            let entry = entry.unwrap();
            let Ok(address) = fs::read_to_string(entry.path().join("address")) else { continue };
            let name = entry.file_name().into_string().unwrap();
            let address = address.trim().to_ascii_uppercase();
            let expected = (address.len() == 17 && address != "00:00:00:00:00:00").then_some(address);
            assert_eq!(mac_address(&name), expected, "{name}");
            assert!(found.iter().any(|interface| interface.name == name));
            seen += 1;
        }
        assert_eq!(found.len(), seen);
    }

    #[test]
    fn the_loopback_has_an_address_and_no_mac() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(interface_of(local).as_deref(), Some("lo"));
        assert_eq!(interface_of(IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped())).as_deref(), Some("lo"));
        assert_eq!(source_for(local), Some(local));
        assert_eq!(interface_of("192.0.2.254".parse().unwrap()), None);
        assert_eq!(mac_address("lo"), None);
        assert_eq!(mac_address("no such interface"), None);
    }

    #[test]
    fn a_mac_is_spelt_in_upper_case_with_colons() {
        assert_eq!(spell_mac([0x02, 0xfc, 0, 0x0a, 0xb0, 0xff]), "02:FC:00:0A:B0:FF");
    }

    #[test]
    fn a_labelled_address_belongs_to_its_interface() {
        assert_eq!(name_of("eth0:1"), "eth0");
        assert_eq!(name_of("wlan0"), "wlan0");
    }

    #[test]
    fn more_interfaces_than_the_limit_are_left_out() {
        let mut found = Vec::new();
        for i in 0..MAX_INTERFACES + 10 {
            let is_kept = named(&mut found, &format!("eth{i}")).is_some();
            assert_eq!(is_kept, i < MAX_INTERFACES);
        }
        assert!(named(&mut found, "eth3").is_some(), "known ones are still found");
        assert_eq!(found.len(), MAX_INTERFACES);
    }
}
