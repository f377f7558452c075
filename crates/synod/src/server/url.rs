//! The URLs that nodes listen on and advertise: `http://host:port`. Pure.

use std::fmt;
use std::net::IpAddr;

/// A place to listen at or to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HostPort {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    /// 0 where any free one will do.
    pub(crate) port: u16,
}

impl HostPort {
    /// Reads a URL that was given with `flag`.
    ///
    /// # Errors
    /// A text that names the flag.
    pub(crate) fn parse(flag: &str, url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("--{flag}: '{url}' {why}; write http://host:port");
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("has no scheme"))?;
        match scheme {
            "http" => {}
            "https" => return Err(wrong("asks for TLS, which this release does not have yet")),
            "unix" | "unixs" => {
                return Err(wrong("asks for a socket file, which is not supported"));
            }
            _ => return Err(wrong("has a scheme that is not http")),
        }
        let rest = rest.trim_end_matches('/');
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| wrong("has no port"))?;
        let port = port.parse().map_err(|_| wrong("has a port that is no number"))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['/', '@', '[', ']']) {
            return Err(wrong("has no host"));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// Whether only this machine can reach it.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host == "localhost",
        }
    }

    /// The same host, another port.
    pub(crate) fn with_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "http://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "http://{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written() {
        for url in ["http://127.0.0.1:2379", "http://localhost:0", "http://[::1]:80"] {
            let parsed = HostPort::parse("flag", url).unwrap();
            assert_eq!(parsed.to_string(), url);
            assert!(parsed.is_loopback(), "{url}");
        }
        assert!(!HostPort::parse("flag", "http://0.0.0.0:2379/").unwrap().is_loopback());
        assert!(!HostPort::parse("flag", "http://node.example:2379").unwrap().is_loopback());
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_flag() {
        for url in
            ["127.0.0.1:1", "https://a:1", "unix://a:1", "http://a", "http://:1", "http://a:x"]
        {
            let error = HostPort::parse("listen-peer-urls", url).unwrap_err();
            assert!(error.contains("--listen-peer-urls") && error.contains(url), "{error}");
        }
    }
}
