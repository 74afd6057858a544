//! Pure: addresses, what of them may be shown, and where a redirect leads.

use std::fmt;

use ct_codecs::{Base64, Encoder};
use ureq::http::uri::{Authority, Uri};

/// An address of `http` or `https`. It is shown without the user's name and password and without the query: either
/// may be what gives access.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// Without a user.
    uri: Uri,
    /// What an Authorization header says for the user in the address.
    authorization: Option<String>,
}

impl Url {
    /// Reads an absolute address.
    ///
    /// Errors: why it is none, as a phrase that does not repeat it.
    pub fn parse(text: &str) -> Result<Url, &'static str> {
        let wrong = "this is no address of http or https";
        let uri: Uri = text.parse().map_err(|_| wrong)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong);
        }
        let authority = uri.authority().ok_or(wrong)?;
        let (user, place) = match authority.as_str().rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority.as_str()),
        };
        let port_is_right = match place.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => port.parse::<u16>().is_ok(),
            _ => true,
        };
        if authority.host().is_empty() || !port_is_right {
            return Err(wrong);
        }
        let authorization = match user {
            Some(user) => Some(basic(user).ok_or("its user and password can't be read")?),
            None => None,
        };
        let mut parts = uri.clone().into_parts();
        parts.authority = Some(place.parse::<Authority>().map_err(|_| wrong)?);
        Ok(Url { uri: Uri::from_parts(parts).map_err(|_| wrong)?, authorization })
    }

    /// As it is asked for; without a user.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// What an Authorization header says for the user in the address.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// Whether it is one of `https`.
    pub fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// Whether both are of one server: what is secret and for the one, may be sent to the other.
    pub fn has_origin_of(&self, other: &Url) -> bool {
        self.is_https() == other.is_https()
            && self.host().eq_ignore_ascii_case(other.host())
            && self.port() == other.port()
    }

    /// Where a redirect leads (RFC 3986, 5.2). A user in it is not taken: it would be sent unasked.
    ///
    /// Errors: why nowhere, as a phrase.
    pub fn redirect(&self, location: &str) -> Result<Url, &'static str> {
        let location = location.trim();
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", Authority::as_str);
        let path = self.uri.path();
        let absolute = if has_scheme(location) {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{scheme}:{location}")
        } else if location.starts_with('/') {
            format!("{scheme}://{authority}{location}")
        } else if location.starts_with('?') {
            format!("{scheme}://{authority}{path}{location}")
        } else if location.is_empty() || location.starts_with('#') {
            return Err("a redirect to itself");
        } else {
            let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
            let (relative, query) = match location.find(['?', '#']) {
                Some(at) => location.split_at_checked(at).unwrap_or((location, "")),
                None => (location, ""),
            };
            format!("{scheme}://{authority}{}{query}", without_dots(&format!("{folder}{relative}")))
        };
        let mut url =
            Url::parse(&absolute).map_err(|_| "a redirect to what is no address of http or https")?;
        url.authorization = None;
        if self.is_https() && !url.is_https() {
            return Err("a redirect from https to http, where anybody can listen");
        }
        Ok(url)
    }

    /// Whether this host is on a list such as `localhost,.example.com,10.0.0.1`, which says for what no proxy is used.
    /// A name stands for all names below it as well, `*` for all.
    pub fn is_listed(&self, list: &str) -> bool {
        let host = self.host().to_ascii_lowercase();
        list.split([',', ' ']).map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
            let entry = entry.trim_start_matches("*.").trim_start_matches('.');
            let below = || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.'));
            entry == "*" || !entry.is_empty() && (host == entry || below())
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{}{}", self.uri.authority().map_or("", Authority::as_str), self.uri.path())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn has_scheme(location: &str) -> bool {
    let scheme = location.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// A path without `.` and `..` (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let last = path.split('/').next_back().unwrap_or_default();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    if matches!(last, "." | "..") {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

/// The Basic authorization (RFC 7617) for `name:password`, of which each may be percent-encoded.
fn basic(user: &str) -> Option<String> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let pair = [&percent_decoded(name)?[..], b":", &percent_decoded(password)?].concat();
    Some(format!("Basic {}", Base64::encode_to_string(pair).ok()?))
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        out.push(match byte {
            b'%' => u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?,
            _ => byte,
        });
    }
    Some(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn what_gives_access_is_not_shown() {
        let secret = url("https://user:p%40ss@host.example:8443/a/b.bundle?token=secret#part");
        assert_eq!(secret.to_string(), "https://host.example:8443/a/b.bundle");
        assert_eq!(format!("{secret:?}"), secret.to_string());
        assert_eq!(secret.authorization(), Some("Basic dXNlcjpwQHNz"));
        assert_eq!(secret.uri().to_string(), "https://host.example:8443/a/b.bundle?token=secret");
        assert_eq!(url("http://name@[::1]:80/").host(), "::1");
    }

    #[test]
    fn addresses_of_something_else_are_none() {
        for bad in [
            "",
            "bundle",
            "/bundle",
            "ftp://host/bundle",
            "http://",
            "http:///bundle",
            "http://host:99999/",
            "http://host:x/",
            "http://user:%zz@host/",
            "file:///bundle",
            "http://ho st/",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Url::parse("HTTP://Host/").is_ok());
    }

    #[test]
    fn redirects_lead_where_they_say() {
        let base = url("http://user:pass@host:8080/a/b/c?query");
        for (location, leads) in [
            ("https://other/x?y", "https://other/x?y"),
            ("//other/x", "http://other/x"),
            ("/x", "http://host:8080/x"),
            ("x", "http://host:8080/a/b/x"),
            ("../x?y=/../z", "http://host:8080/a/x?y=/../z"),
            ("./../../../x/.", "http://host:8080/x/"),
            ("?new", "http://host:8080/a/b/c?new"),
        ] {
            assert_eq!(base.redirect(location).unwrap().uri().to_string(), leads, "{location}");
        }
        for bad in ["", "#x", "ftp://host/x", "javascript:alert()", "http://", "x y\n"] {
            assert!(base.redirect(bad).is_err(), "{bad:?}");
        }
        // Neither one's user, nor another's.
        assert_eq!(base.redirect("/x").unwrap().authorization(), None);
        assert_eq!(base.redirect("http://me:too@host:8080/").unwrap().authorization(), None);
        assert!(url("https://host/").redirect("http://host/").is_err());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let base = url("https://Host/a");
        assert!(url("https://host:443/b").has_origin_of(&base));
        for other in ["http://host/a", "https://host:444/a", "https://a.host/a", "https://hos/a"] {
            assert!(!url(other).has_origin_of(&base), "{other}");
        }
    }

    #[test]
    fn lists_name_hosts_and_what_is_below_them() {
        let listed = |host: &str, list: &str| url(&format!("http://{host}/")).is_listed(list);
        assert!(listed("localhost", "other, localhost"));
        assert!(listed("a.Example.com", ".example.com"));
        assert!(listed("a.example.com", "*.example.com"));
        assert!(listed("example.com", "EXAMPLE.com"));
        assert!(listed("anything", "*"));
        assert!(listed("[::1]", "::1"));
        assert!(!listed("badexample.com", "example.com"));
        assert!(!listed("example.com", "a.example.com"));
        assert!(!listed("example.com", ""));
        assert!(!listed("example.com", ",, ."));
    }
}
