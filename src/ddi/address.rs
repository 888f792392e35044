//! Addresses: which of what a server links to is asked, where, and whether the token goes along.
//!
//! Invariants: a link of the API keeps its path and query alone, whatever scheme and host a proxy made the server believe in
//! (hawkbit#1696, #879); the token goes to the configured origin and nowhere else (rauc-hawkbit-updater#174); https stays https.

/// The longest link that is followed, in bytes: signed ones are long.
pub const MAX_LINK: usize = 4096;

/// `scheme://authority` and the rest, which begins with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Without a trailing slash, lower case, without a default port.
    pub origin: String,
    /// Path and query.
    pub path: String,
}

impl Address {
    /// Takes an absolute URL apart.
    #[must_use]
    pub fn parse(url: &str) -> Option<Address> {
        if url.len() > MAX_LINK || url.bytes().any(|b| b <= b' ' || b >= 127) {
            return None;
        }
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "https" => ":443",
            "http" => ":80",
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.is_empty() || authority.contains('@') {
            return None;
        }
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
        let path = if path.starts_with('/') { path.to_string() } else { ["/", path].concat() };
        Some(Address { origin: [&scheme, "://", authority].concat(), path })
    }

    fn host(&self) -> &str {
        let authority = self.origin.split_once("://").map_or("", |(_, rest)| rest);
        authority.split(':').next().unwrap_or(authority)
    }

    fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

/// The path of one of the API's own links, to be asked at the configured origin.
#[must_use]
pub fn api_path(link: &str) -> Option<String> {
    if link.starts_with('/') && !link.starts_with("//") {
        let is_plain = link.len() <= MAX_LINK && link.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        return is_plain.then(|| link.to_string());
    }
    Address::parse(link).map(|address| address.path)
}

/// Where an artifact's link leads. On the configured host it is never asked in the clear where the server is asked over TLS.
#[must_use]
pub fn artifact(configured: &Address, link: &str) -> Option<Address> {
    if link.starts_with('/') {
        return api_path(link).map(|path| Address { origin: configured.origin.clone(), path });
    }
    let address = Address::parse(link)?;
    let is_same_host = address.host() == configured.host();
    if configured.is_https() && !address.is_https() {
        // A proxy in front that ends TLS; any other host in the clear is a downgrade.
        return is_same_host.then(|| Address { origin: configured.origin.clone(), path: address.path });
    }
    Some(address)
}

/// Where a redirection of an artifact leads; `None`: it is not followed.
#[must_use]
pub fn redirected(from: &Address, target: &str) -> Option<Address> {
    let to = match api_path(target).filter(|_| target.starts_with('/')) {
        Some(path) => Address { origin: from.origin.clone(), path },
        None => Address::parse(target)?,
    };
    (to.is_https() || !from.is_https()).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(origin: &str, path: &str) -> Option<Address> {
        Some(Address { origin: origin.into(), path: path.into() })
    }

    #[test]
    fn api_links_keep_path_and_query_alone() {
        for (link, want) in [
            (
                "http://inner:8080/DEFAULT/controller/v1/a/deploymentBase/8?c=-12",
                Some("/DEFAULT/controller/v1/a/deploymentBase/8?c=-12"),
            ),
            ("https://h/x#y", Some("/x")),
            ("/x?y", Some("/x?y")),
            ("//evil/x", None),
            ("ftp://h/x", None),
            ("http://u@h/x", None),
            ("http://h/a b", None),
            ("http:///x", None),
            ("", None),
        ] {
            assert_eq!(api_path(link).as_deref(), want, "{link}");
        }
        assert_eq!(api_path(&["http://h/", &"x".repeat(MAX_LINK)].concat()), None);
    }

    #[test]
    fn artifacts_stay_on_tls() {
        let (tls, plain) =
            (Address::parse("https://hb.example/p").unwrap(), Address::parse("http://hb.example").unwrap());
        for (configured, link, want) in [
            (&tls, "https://hb.example/a", address("https://hb.example", "/a")),
            (&tls, "https://HB.example:443/a", address("https://hb.example", "/a")),
            (&tls, "http://hb.example/a", address("https://hb.example", "/a")),
            (&tls, "http://hb.example:8080/a", address("https://hb.example", "/a")),
            (&tls, "https://cdn.example/a?s=1", address("https://cdn.example", "/a?s=1")),
            (&tls, "http://cdn.example/a", None),
            (&tls, "/a", address("https://hb.example", "/a")),
            (&plain, "http://cdn.example:81/a", address("http://cdn.example:81", "/a")),
            (&plain, "https://cdn.example/a", address("https://cdn.example", "/a")),
        ] {
            assert_eq!(artifact(configured, link), want, "{link}");
        }
        for (target, want) in [
            ("https://s3.example/x?sig=1", address("https://s3.example", "/x?sig=1")),
            ("/other", address("https://hb.example", "/other")),
            ("http://s3.example/x", None),
            ("//s3.example/x", None),
        ] {
            assert_eq!(redirected(&tls, target), want, "{target}");
        }
    }
}
