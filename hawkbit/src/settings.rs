//! The file of settings: which server, who the device is there, and whom to ask.
//!
//! It is read strictly: a key that is not known is an error, and so is a value that makes no sense. Secrets are in files of
//! their own, which nobody else can read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bootslot::update::source::http::url::Url;
use serde::Deserialize;
use toml::Spanned;

/// Where the file is.
pub const DEFAULT: &str = "/etc/bootslot/hawkbit.toml";

/// So often an installation is tried that fails by the network or the like.
const ATTEMPTS: usize = 12;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The address of the server, without a slash at its end.
    pub url: String,
    /// The tenant there.
    pub tenant: String,
    /// What the device is called there (`controllerId`).
    pub controller: String,
    /// The kind of token, and the file that holds it.
    pub token: Option<(Token, PathBuf)>,
    /// A PEM file with the certificates of those who may vouch for the server; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// The certificate of the device and its key, two PEM files.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The program that says whether an action may be carried out; none: somebody else tells the server.
    pub consent: Option<Vec<String>>,
    /// The program that says whether now is a good time; none: it always is.
    pub ready: Option<Vec<String>>,
    /// The program that makes the machine reboot; empty: somebody else does.
    pub reboot: Vec<String>,
    /// So often an installation is tried that fails by the network or the like.
    pub attempts: usize,
    /// Attributes beside the device's own.
    pub attributes: BTreeMap<String, String>,
}

/// A kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// The device's own.
    Target,
    /// That of a gateway, for all devices behind it.
    Gateway,
}

impl Token {
    /// The word before it.
    pub fn as_str(self) -> &'static str {
        match self {
            Token::Target => "TargetToken",
            Token::Gateway => "GatewayToken",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    url: Spanned<String>,
    tenant: Option<Spanned<String>>,
    controller: Option<Spanned<String>>,
    controller_file: Option<Spanned<PathBuf>>,
    target_token_file: Option<Spanned<PathBuf>>,
    gateway_token_file: Option<Spanned<PathBuf>>,
    ca: Option<PathBuf>,
    certificate: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
    consent: Option<Spanned<Vec<String>>>,
    ready: Option<Spanned<Vec<String>>>,
    reboot: Option<Vec<String>>,
    attempts: Option<Spanned<usize>>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// The byte at which something is wrong, and what.
type Wrong = (usize, String);

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// The file, the place in it, and what is wrong.
    pub fn load(path: &Path) -> Result<Settings, String> {
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Settings::parse(&text).map_err(|(at, what)| {
            let before = text.get(..at).unwrap_or(&text);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
            format!("{}:{line}:{column}: {what}", path.display())
        })
    }

    /// Reads what such a file says.
    ///
    /// # Errors
    ///
    /// The byte at which something is wrong, and what.
    pub fn parse(text: &str) -> Result<Settings, Wrong> {
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(text.len(), |span| span.start);
            (at, error.message().to_owned())
        })?;
        let url = file.url.get_ref().trim_end_matches('/').to_owned();
        let parsed = Url::parse(&url).map_err(|reason| wrong(&file.url, &format!("`url`: {reason}")))?;
        if parsed.uri().query().is_some() || parsed.authorization().is_some() {
            return Err(wrong(&file.url, "`url`: an address without user and query is wanted"));
        }
        let token = match (file.target_token_file, file.gateway_token_file) {
            (Some(_), Some(second)) => {
                return Err(wrong(&second, "`gateway-token-file`: there is a `target-token-file` already"));
            }
            (Some(path), None) => Some((Token::Target, path.into_inner())),
            (None, Some(path)) => Some((Token::Gateway, path.into_inner())),
            (None, None) => None,
        };
        let client = match (file.certificate, file.key) {
            (Some(certificate), Some(key)) => Some((certificate.into_inner(), key.into_inner())),
            (Some(alone), None) => return Err(wrong(&alone, "`certificate`: it needs its `key`")),
            (None, Some(alone)) => return Err(wrong(&alone, "`key`: it needs its `certificate`")),
            (None, None) => None,
        };
        if token.is_none() && client.is_none() {
            let what = "the server has to know who asks: `target-token-file`, `gateway-token-file`, or `certificate`";
            return Err(wrong(&file.url, what));
        }
        let controller = match (file.controller, file.controller_file) {
            (Some(_), Some(second)) => {
                return Err(wrong(&second, "`controller-file`: there is a `controller`"))
            }
            (Some(name), None) => segment("controller", &name)?,
            (None, Some(path)) => {
                let failed = |error: &dyn std::fmt::Display| {
                    wrong(&path, &format!("`controller-file`: {}: {error}", path.get_ref().display()))
                };
                let text = fs::read_to_string(path.get_ref()).map_err(|error| failed(&error))?;
                let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
                legal(text).ok_or_else(|| failed(&"it does not hold a name of [A-Za-z0-9._:-]"))?
            }
            (None, None) => return Err(wrong(&file.url, "`controller` or `controller-file` is missing")),
        };
        let attempts = file.attempts.map_or(Ok(ATTEMPTS), |attempts| match *attempts.get_ref() {
            1..=1000 => Ok(*attempts.get_ref()),
            _ => Err(wrong(&attempts, "`attempts`: 1 to 1000")),
        })?;
        Ok(Settings {
            url,
            tenant: file.tenant.map_or(Ok("DEFAULT".into()), |tenant| segment("tenant", &tenant))?,
            controller,
            token,
            ca: file.ca,
            client,
            consent: file.consent.map(|command| program("consent", command)).transpose()?,
            ready: file.ready.map(|command| program("ready", command)).transpose()?,
            reboot: file.reboot.unwrap_or_else(|| ["systemctl", "reboot"].map(str::to_owned).into()),
            attempts,
            attributes: file.attributes,
        })
    }

    /// Where this device is on the server.
    pub fn base(&self) -> String {
        format!("{}/{}/controller/v1/{}", self.url, self.tenant, self.controller)
    }

    /// A word that tells this server, and this device there, from others.
    pub fn server(&self) -> String {
        let host = self.url.split_once("://").map_or(self.url.as_str(), |(_, host)| host);
        format!("hawkbit:{host}/{}/{}", self.tenant, self.controller)
    }

    /// The header that says who asks, if a token does.
    ///
    /// # Errors
    ///
    /// The file, and what is wrong with it; not what it holds.
    pub fn authorization(&self) -> Result<Option<(String, String)>, String> {
        let Some((kind, path)) = &self.token else { return Ok(None) };
        let failed = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let mode = fs::metadata(path).map_err(|error| failed(&error))?.mode();
        if mode & 0o007 != 0 {
            return Err(failed(&"every user can read this token: chmod 600"));
        }
        let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(failed(&"this is no token: one word in one line is wanted"));
        }
        Ok(Some(("Authorization".into(), format!("{} {token}", kind.as_str()))))
    }
}

fn wrong<T>(place: &Spanned<T>, what: &str) -> Wrong {
    (place.span().start, what.to_owned())
}

/// What can stand in a path as it is.
fn legal(text: &str) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let dots = text.bytes().all(|byte| byte == b'.');
    ((1..=128).contains(&text.len()) && !dots && text.bytes().all(legal)).then(|| text.to_owned())
}

fn segment(key: &str, text: &Spanned<String>) -> Result<String, Wrong> {
    legal(text.get_ref()).ok_or_else(|| wrong(text, &format!("`{key}`: 1 to 128 of [A-Za-z0-9._:-]")))
}

fn program(key: &str, command: Spanned<Vec<String>>) -> Result<Vec<String>, Wrong> {
    match command.get_ref().first() {
        Some(first) if !first.is_empty() => Ok(command.into_inner()),
        _ => Err(wrong(&command, &format!("`{key}`: a program and its arguments are wanted"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const LEAST: &str = "url = \"https://h.example/\"\ncontroller = \"dev\"\ntarget-token-file = \"/t\"\n";

    #[test]
    fn little_is_enough() {
        let settings = Settings::parse(LEAST).unwrap();
        assert_eq!(settings.base(), "https://h.example/DEFAULT/controller/v1/dev");
        assert_eq!(settings.server(), "hawkbit:h.example/DEFAULT/dev");
        assert_eq!(settings.reboot, ["systemctl", "reboot"]);
        assert_eq!(settings.token, Some((Token::Target, "/t".into())));
        let more =
            format!("{LEAST}tenant = \"T\"\nreboot = []\nready = [\"/r\"]\n[attributes]\nplace = \"x\"\n");
        let settings = Settings::parse(&more).unwrap();
        assert_eq!((settings.tenant.as_str(), settings.reboot.len()), ("T", 0));
        assert_eq!(settings.attributes.get("place").map(String::as_str), Some("x"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_key_and_place() {
        for (text, says) in [
            (
                "url = \"ftp://h\"\ncontroller = \"d\"\ntarget-token-file = \"/t\"\n",
                "`url`: this is no address",
            ),
            (
                "url = \"http://me:too@h\"\ncontroller = \"d\"\ntarget-token-file = \"/t\"\n",
                "`url`: an address without",
            ),
            (
                "url = \"http://h\"\ncontroller = \"a/b\"\ntarget-token-file = \"/t\"\n",
                "`controller`: 1 to 128",
            ),
            (
                "url = \"http://h\"\ncontroller = \"..\"\ntarget-token-file = \"/t\"\n",
                "`controller`: 1 to 128",
            ),
            ("url = \"http://h\"\ntarget-token-file = \"/t\"\n", "`controller` or"),
            ("url = \"http://h\"\ncontroller = \"d\"\n", "the server has to know who asks"),
            ("url = \"http://h\"\ncontroller = \"d\"\nkey = \"k\"\n", "`key`: it needs"),
            ("controller = \"d\"\n", "missing field `url`"),
        ] {
            let (_, what) = Settings::parse(text).unwrap_err();
            assert!(what.contains(says), "{text}: {what}");
        }
        for (more, says) in [
            ("gateway-token-file = \"/g\"\n", "`gateway-token-file`: there is"),
            ("tokens = 1\n", "unknown field `tokens`"),
            ("attempts = 0\n", "`attempts`: 1 to 1000"),
            ("ready = []\n", "`ready`: a program"),
            ("controller-file = \"/x\"\n", "`controller-file`: there is"),
        ] {
            let (at, what) = Settings::parse(&format!("{LEAST}{more}")).unwrap_err();
            assert!(what.contains(says) && at >= LEAST.len(), "{more}: {what}, {at}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hawkbit.toml");
        fs::write(&path, format!("{LEAST}\nattempts = 0\n")).unwrap();
        let error = Settings::load(&path).unwrap_err();
        assert!(error.contains("hawkbit.toml:5:12: `attempts`"), "{error}");
        assert!(Settings::load(&folder.path().join("none")).unwrap_err().contains("none: No such file"));
    }

    #[test]
    fn a_token_is_read_from_a_file_that_others_can_not_read_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let text = format!("url = \"https://h\"\ncontroller = \"d\"\ngateway-token-file = {path:?}\n");
        let settings = Settings::parse(&text).unwrap();
        assert!(settings.authorization().is_err());
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            settings.authorization()
        };
        let (name, value) = write("s3cret\n", 0o600).unwrap().unwrap();
        assert_eq!((name.as_str(), value.as_str()), ("Authorization", "GatewayToken s3cret"));
        for (text, mode) in [("s3cret", 0o644), ("", 0o600), ("s3 cret", 0o600), ("s3\ncret", 0o600)] {
            let error = write(text, mode).unwrap_err();
            assert!(error.contains("token") && !error.contains("s3"), "{error}");
        }
    }

    #[test]
    fn a_name_is_read_from_a_file_as_a_device_tree_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("serial-number");
        let text = format!("url = \"https://h\"\ncontroller-file = {path:?}\ntarget-token-file = \"/t\"\n");
        assert!(Settings::parse(&text).is_err());
        fs::write(&path, b"0000c0ffee\0").unwrap();
        assert_eq!(Settings::parse(&text).unwrap().controller, "0000c0ffee");
        fs::write(&path, b"a b").unwrap();
        assert!(Settings::parse(&text).is_err());
    }
}
