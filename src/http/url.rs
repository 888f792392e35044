//! The server's base URL, taken apart: `http[s]://host[:port][/prefix]`.

/// A base URL that minreq and the relay understand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    pub https: bool,
    /// A name or an IPv4 address.
    pub host: String,
    pub port: u16,
    /// Whether the port stands in the URL, and so in the `Host` header.
    explicit_port: bool,
    /// Without a trailing slash; mostly empty.
    prefix: String,
}

/// A DNS name's longest form.
const MAX_HOST: usize = 253;
/// The longest URL taken, in bytes.
const MAX_URL: usize = 1000;

impl BaseUrl {
    /// Takes a URL apart; `Err` says what is wrong with it.
    pub(crate) fn parse(url: &str) -> Result<BaseUrl, &'static str> {
        if url.len() > MAX_URL || url.bytes().any(|b| b <= b' ' || b == 127) {
            return Err("white space, control characters or more than 1000 bytes");
        }
        let scheme_end = url.find("://").ok_or("no http:// or https:// at its start")?;
        let (scheme, rest) = (&url[..scheme_end], &url[scheme_end + 3..]);
        let https = match scheme {
            s if s.eq_ignore_ascii_case("https") => true,
            s if s.eq_ignore_ascii_case("http") => false,
            _ => return Err("no http:// or https:// at its start"),
        };
        if rest.contains(['?', '#', '@']) {
            return Err("a query, a fragment or a user in it");
        }
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.starts_with('[') {
            return Err("an IPv6 address in it: use a name that resolves to it");
        }
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if host.is_empty() || host.len() > MAX_HOST || !host.bytes().all(is_name) {
            return Err("no host name of ASCII letters, digits, '-', '_' and '.'");
        }
        let default = if https { 443 } else { 80 };
        let (port, explicit_port) = match port {
            None | Some("") => (default, false),
            Some(text) => {
                (text.parse().ok().filter(|p| *p != 0).ok_or("a port that is no number from 1 to 65535")?, true)
            }
        };
        let prefix = prefix.trim_end_matches('/').to_string();
        Ok(BaseUrl { https, host: host.to_string(), port, explicit_port, prefix })
    }

    /// The URL of a path, which begins with a slash, for minreq: TLS is not its affair.
    pub(crate) fn url(&self, path: &str) -> String {
        ["http://", &self.authority(), &self.prefix, path].concat()
    }

    /// `host`, with the port where the URL has one: how messages name the server.
    pub(crate) fn authority(&self) -> String {
        if self.explicit_port {
            [&self.host, ":", &self.port.to_string()].concat()
        } else {
            self.host.clone()
        }
    }

    /// Whether the server is this machine, which makes plain HTTP unremarkable.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_put_together() {
        for (url, authority, port, https, whole) in [
            ("https://prod.m2.exosite.io", "prod.m2.exosite.io", 443, true, "http://prod.m2.exosite.io/timestamp"),
            ("HTTPS://h:443/", "h:443", 443, true, "http://h:443/timestamp"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", 8080, false, "http://127.0.0.1:8080/timestamp"),
            ("http://on_prem:/base//", "on_prem", 80, false, "http://on_prem/base/timestamp"),
        ] {
            let base = BaseUrl::parse(url).unwrap();
            assert_eq!((base.authority().as_str(), base.port, base.https), (authority, port, https), "{url}");
            assert_eq!(base.url("/timestamp"), whole);
        }
    }

    #[test]
    fn what_minreq_would_misread_is_refused() {
        for bad in [
            "",
            "host",
            "ftp://h",
            "http://",
            "http://:80",
            "http:///x",
            "http://h:0",
            "http://h:65536",
            "http://h:x",
            "http://h:1:2",
            "http://[::1]:80",
            "http://u@h",
            "http://h/?a",
            "http://h#a",
            "http://h\r\nX: y",
            "http://h /",
            "http://bücher.example",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
        assert!(BaseUrl::parse(&["http://", &"a".repeat(254)].concat()).is_err());
    }

    #[test]
    fn loopback_is_known_by_name_and_address() {
        for (url, is) in [("http://localhost:1", true), ("http://127.9.0.1", true), ("http://10.0.0.1", false)] {
            assert_eq!(BaseUrl::parse(url).unwrap().is_loopback(), is);
        }
    }
}
