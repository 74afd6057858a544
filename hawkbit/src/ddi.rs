//! Pure: what a hawkBit says (its Direct Device Integration API, DDI v1). Whatever it is, it is bytes from a stranger.
//!
//! Of the links to the API only the number of the action and the query are taken. The rest of such an address is known: a
//! server behind a proxy often has it wrong, and a token must not go where a link leads.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

/// So many artifacts of an action are looked at.
const ARTIFACTS: usize = 64;
/// The longest number of an action.
const LONGEST_ID: usize = 64;

/// What the server has for this device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// How long to wait until it is asked again.
    pub sleep: Option<Duration>,
    /// An action to carry out.
    pub deployment: Option<Link>,
    /// An action to call off.
    pub cancel: Option<Link>,
    /// An action that somebody has to agree to.
    pub confirmation: Option<Link>,
    /// It wants to know what the device is.
    pub config: bool,
}

/// Where something of the server's is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The number of the action.
    pub id: String,
    /// The rest of the address, with its question mark; empty where there is none.
    pub query: String,
}

/// Whether something is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handling {
    /// Not now.
    Skip,
    /// When it suits the device.
    Attempt,
    /// Now.
    Forced,
}

/// An action to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its number.
    pub id: String,
    /// Whether to download it.
    pub download: Handling,
    /// Whether to start it.
    pub update: Handling,
    /// Whether its maintenance window is open; `None`: it has none.
    pub window: Option<bool>,
    /// Its files, of all chunks.
    pub artifacts: Vec<Artifact>,
}

/// A file of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its name, for messages: without control characters, and not long.
    pub name: String,
    /// How long it is, by the server.
    pub size: Option<u64>,
    /// Where it is. HTTPS if the server offers both.
    pub url: String,
}

/// An order to call an action off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// The order's own number.
    pub id: String,
    /// The action.
    pub stop: String,
}

#[derive(Deserialize)]
struct BaseJson {
    #[serde(default)]
    config: ConfigJson,
    #[serde(default, rename = "_links")]
    links: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize, Default)]
struct ConfigJson {
    #[serde(default)]
    polling: PollingJson,
}

#[derive(Deserialize, Default)]
struct PollingJson {
    sleep: Option<String>,
}

#[derive(Deserialize)]
struct HrefJson {
    href: String,
}

#[derive(Deserialize)]
struct DeploymentJson {
    id: Id,
    deployment: InnerJson,
}

#[derive(Deserialize)]
struct InnerJson {
    #[serde(default = "forced")]
    download: Handling,
    #[serde(default = "forced")]
    update: Handling,
    #[serde(rename = "maintenanceWindow")]
    window: Option<WindowJson>,
    #[serde(default)]
    chunks: Vec<ChunkJson>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum WindowJson {
    Available,
    Unavailable,
}

fn forced() -> Handling {
    Handling::Forced
}

#[derive(Deserialize)]
struct ChunkJson {
    #[serde(default)]
    artifacts: Vec<ArtifactJson>,
}

#[derive(Deserialize)]
struct ArtifactJson {
    #[serde(default)]
    filename: String,
    size: Option<u64>,
    #[serde(default, rename = "_links")]
    links: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct CancelJson {
    id: Id,
    #[serde(rename = "cancelAction")]
    action: StopJson,
}

#[derive(Deserialize)]
struct StopJson {
    #[serde(rename = "stopId")]
    stop: Id,
}

/// A number, as text or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

impl Id {
    fn checked(self) -> Result<String, String> {
        let text = match self {
            Id::Text(text) => text,
            Id::Number(number) => number.to_string(),
        };
        checked_id(&text).ok_or_else(|| "the number of an action is none".into())
    }
}

/// 1 to 64 of `[A-Za-z0-9._-]`: what can stand in a path and in a record as it is.
fn checked_id(text: &str) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let dots = text.bytes().all(|byte| byte == b'.');
    ((1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(legal) && !dots).then(|| text.to_owned())
}

impl Base {
    /// Reads the answer to the first question of each visit.
    ///
    /// # Errors
    ///
    /// Why it can't be read, as a phrase.
    pub fn parse(bytes: &[u8]) -> Result<Base, String> {
        let json: BaseJson = read(bytes)?;
        let link = |name: &str| match json.links.get(name) {
            None => Ok(None),
            Some(value) => Link::of(value, name).map(Some).ok_or(format!("the link {name} leads nowhere")),
        };
        Ok(Base {
            sleep: json.config.polling.sleep.as_deref().and_then(sleep),
            deployment: link("deploymentBase")?,
            cancel: link("cancelAction")?,
            // Without a number it is where consent for all times is given, and asks for nothing.
            confirmation: link("confirmationBase").ok().flatten(),
            config: json.links.contains_key("configData"),
        })
    }
}

impl Link {
    fn of(value: &serde_json::Value, name: &str) -> Option<Link> {
        let href = value.get("href")?.as_str()?;
        let (path, query) = match href.find(['?', '#']) {
            Some(at) => href.split_at_checked(at)?,
            None => (href, ""),
        };
        let (_, id) = path.trim_end_matches('/').rsplit_once(&format!("/{name}/"))?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"?=&-._~%+".contains(&byte);
        let query = if query.bytes().all(legal) { query } else { "" };
        Some(Link { id: checked_id(id)?, query: query.to_owned() })
    }
}

impl Deployment {
    /// Reads an action.
    ///
    /// # Errors
    ///
    /// Why it can't be read, as a phrase.
    pub fn parse(bytes: &[u8]) -> Result<Deployment, String> {
        let DeploymentJson { id, deployment } = read(bytes)?;
        let all = deployment.chunks.into_iter().flat_map(|chunk| chunk.artifacts);
        let mut artifacts = Vec::new();
        for artifact in all {
            if artifacts.len() == ARTIFACTS {
                return Err(format!("an action with more than {ARTIFACTS} files"));
            }
            artifacts.push(artifact.checked()?);
        }
        Ok(Deployment {
            id: id.checked()?,
            download: deployment.download,
            update: deployment.update,
            window: deployment.window.map(|window| window == WindowJson::Available),
            artifacts,
        })
    }
}

impl ArtifactJson {
    fn checked(self) -> Result<Artifact, String> {
        let name: String = self.filename.chars().filter(|c| !c.is_control()).take(80).collect();
        let href = |name| {
            let link: HrefJson = serde_json::from_value(self.links.get(name)?.clone()).ok()?;
            Some(link.href)
        };
        match href("download").or_else(|| href("download-http")) {
            Some(url) => Ok(Artifact { name, size: self.size, url }),
            None => Err(format!("the file {name:?} has no address")),
        }
    }
}

impl Cancel {
    /// Reads an order to call an action off.
    ///
    /// # Errors
    ///
    /// Why it can't be read, as a phrase.
    pub fn parse(bytes: &[u8]) -> Result<Cancel, String> {
        let json: CancelJson = read(bytes)?;
        Ok(Cancel { id: json.id.checked()?, stop: json.action.stop.checked()? })
    }
}

fn read<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, String> {
    // What serde says of it may repeat a part of it, and so something secret: the place is enough.
    serde_json::from_slice(bytes).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "it ends early",
            serde_json::error::Category::Data => "it is not what DDI says",
            _ => "it is no JSON",
        };
        format!("{what}, at line {} column {}", error.line(), error.column())
    })
}

/// `HH:MM:SS` as a time.
pub fn sleep(text: &str) -> Option<Duration> {
    let mut seconds = 0u64;
    let mut parts = 0;
    for part in text.trim().split(':') {
        let digits = !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit());
        let value: u64 = part.parse().ok().filter(|_| digits)?;
        if parts > 0 && value > 59 {
            return None;
        }
        seconds = seconds * 60 + value;
        parts += 1;
    }
    (parts == 3).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BASE: &str = r#"{"config":{"polling":{"sleep":"00:05:10"}},"_links":{
        "deploymentBase":{"href":"http://else.where:8080/T/controller/v1/dev/deploymentBase/8?c=-21"},
        "configData":{"href":"http://h/T/controller/v1/dev/configData"},
        "confirmationBase":{"href":"http://h/T/controller/v1/dev/confirmationBase"},
        "installedBase":{"href":"x"}}}"#;

    #[test]
    fn an_offer_is_read() {
        let base = Base::parse(BASE.as_bytes()).unwrap();
        let link = Link { id: "8".into(), query: "?c=-21".into() };
        let sleep = Some(Duration::from_secs(310));
        assert_eq!(base, Base { sleep, deployment: Some(link), config: true, ..Base::default() });
        assert_eq!(Base::parse(b"{}").unwrap(), Base::default());
        let cancel = r#"{"_links":{"cancelAction":{"href":"/a/cancelAction/11"}}}"#;
        assert_eq!(Base::parse(cancel.as_bytes()).unwrap().cancel.unwrap().id, "11");
    }

    #[test]
    fn half_an_answer_is_none() {
        for end in (0..BASE.len()).filter(|&end| BASE.is_char_boundary(end)) {
            assert!(Base::parse(&BASE.as_bytes()[..end]).is_err(), "{end}");
        }
        for bad in ["/a/deploymentBase/", "/a/deploymentBase/..", "/a/deploymentBase/a b", "/other/8", ""] {
            let json = serde_json::json!({ "_links": { "deploymentBase": { "href": bad } } }).to_string();
            assert!(Base::parse(json.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_deployment_is_read() {
        let json = r#"{"id":"8","deployment":{"download":"forced","update":"attempt","maintenanceWindow":"unavailable",
            "chunks":[{"part":"os","version":"1","name":"n","artifacts":[
              {"filename":"a.bundle","size":5,"hashes":{"sha1":"x"},"_links":{
                "download-http":{"href":"http://h/a"},"download":{"href":"https://h/a"}}}]},
             {"artifacts":[{"filename":"b\n","_links":{"download-http":{"href":"http://h/b"}}}]}]},
            "actionHistory":{"status":"RUNNING","messages":[]}}"#;
        let read = Deployment::parse(json.as_bytes()).unwrap();
        let file = |name: &str, size, url: &str| Artifact { name: name.into(), size, url: url.into() };
        assert_eq!(
            read,
            Deployment {
                id: "8".into(),
                download: Handling::Forced,
                update: Handling::Attempt,
                window: Some(false),
                artifacts: vec![file("a.bundle", Some(5), "https://h/a"), file("b", None, "http://h/b")],
            }
        );
        let plain = Deployment::parse(br#"{"id":8,"deployment":{"chunks":[]}}"#).unwrap();
        assert_eq!((plain.update, plain.window, plain.artifacts.len()), (Handling::Forced, None, 0));
        for bad in [
            r#"{"id":"8"}"#,
            r#"{"id":"../8","deployment":{}}"#,
            r#"{"id":"8","deployment":{"update":"perhaps"}}"#,
            r#"{"id":"8","deployment":{"chunks":[{"artifacts":[{"filename":"x","_links":{}}]}]}}"#,
        ] {
            assert!(Deployment::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_order_to_stop_is_read() {
        let read = Cancel::parse(br#"{"id":"11","cancelAction":{"stopId":"8"}}"#).unwrap();
        assert_eq!(read, Cancel { id: "11".into(), stop: "8".into() });
        assert!(Cancel::parse(br#"{"id":"11"}"#).is_err());
    }

    #[test]
    fn times_are_read() {
        assert_eq!(sleep("00:00:30"), Some(Duration::from_secs(30)));
        assert_eq!(sleep("48:00:00"), Some(Duration::from_secs(172_800)));
        for bad in ["", "30", "00:30", "00:60:00", "00:00:-1", "a:b:c", "00:00:00:00", "9999999:00:00"] {
            assert_eq!(sleep(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_message_does_not_repeat_what_it_is_about() {
        let error = Deployment::parse(br#"{"id":"8","deployment":{"update":"secret"}}"#).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
