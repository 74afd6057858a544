//! A small hawkBit: what its DDI does with one device, by the states and answers of the real one (DdiRootController,
//! JpaControllerManagement). It refuses what the real one refuses, so that a client that gets through here speaks DDI.

use std::collections::BTreeMap;

use serde_json::{json, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    WaitsForConsent,
    Running,
    Canceling,
    Canceled,
    Finished,
    Error,
    Downloaded,
}

impl Status {
    pub fn is_active(self) -> bool {
        matches!(self, Status::WaitsForConsent | Status::Running | Status::Canceling)
    }
}

#[derive(Debug, Clone)]
pub struct File {
    pub name: String,
    /// What the server says of its length.
    pub size: u64,
    /// Where it is; `None`: here.
    pub elsewhere: Option<String>,
    /// What the server says of its SHA-1; a client that compares each chunk with a signed hash does not ask.
    pub sha1: String,
}

#[derive(Debug, Clone)]
pub struct Action {
    pub id: String,
    pub status: Status,
    pub files: Vec<File>,
    pub download: &'static str,
    pub update: &'static str,
    pub window: Option<&'static str>,
}

/// A message that the server has kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub action: String,
    pub execution: String,
    pub finished: String,
    pub details: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Hawkbit {
    pub token: String,
    pub sleep: String,
    pub actions: Vec<Action>,
    pub wants_attributes: bool,
    pub attributes: BTreeMap<String, String>,
    pub kept: Vec<Kept>,
    /// Messages other than questions: feedback, attributes, consent.
    pub messages: usize,
    pub consents: Vec<(String, String)>,
    pub files: BTreeMap<String, Vec<u8>>,
}

pub const BASE: &str = "/DEFAULT/controller/v1/dev";

impl Hawkbit {
    pub fn new() -> Hawkbit {
        Hawkbit {
            token: "TargetToken s3cret".into(),
            sleep: "00:05:00".into(),
            actions: vec![],
            wants_attributes: true,
            attributes: BTreeMap::new(),
            kept: vec![],
            messages: 0,
            consents: vec![],
            files: BTreeMap::new(),
        }
    }

    /// A file to download.
    pub fn upload(&mut self, name: &str, bytes: &[u8]) {
        self.files.insert(name.into(), bytes.to_vec());
    }

    /// A new action for these files. Those before it are called off, as hawkBit does it.
    pub fn assign(&mut self, files: &[&str]) -> String {
        for action in self.actions.iter_mut().filter(|action| action.status.is_active()) {
            action.status = Status::Canceling;
        }
        let id = (self.actions.len() + 7).to_string();
        let files = files.iter().map(|name| File {
            name: (*name).into(),
            size: self.files.get(*name).map_or(0, |bytes| bytes.len() as u64),
            elsewhere: None,
            sha1: "0".into(),
        });
        let files = files.collect();
        let status = Status::Running;
        self.actions.push(Action {
            id: id.clone(),
            status,
            files,
            download: "forced",
            update: "forced",
            window: None,
        });
        id
    }

    pub fn action(&mut self, id: &str) -> &mut Action {
        self.actions.iter_mut().find(|action| action.id == id).unwrap()
    }

    pub fn cancel(&mut self, id: &str) {
        let action = self.action(id);
        if action.status.is_active() {
            action.status = Status::Canceling;
        }
    }

    pub fn status(&self, id: &str) -> Status {
        self.actions.iter().find(|action| action.id == id).unwrap().status
    }

    /// The messages about an action.
    pub fn about(&self, id: &str) -> Vec<&Kept> {
        self.kept.iter().filter(|kept| kept.action == id).collect()
    }

    /// What the server answers: status and body. `host` is its own address.
    pub fn handle(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &[u8],
        host: &str,
    ) -> (u16, Vec<u8>) {
        if token != Some(&self.token) {
            return (401, vec![]);
        }
        let path = path.split('?').next().unwrap();
        let Some(rest) = path.strip_prefix(BASE) else { return (404, vec![]) };
        let parts: Vec<&str> = rest.split('/').skip(1).collect();
        let answer = match (method, &parts[..]) {
            ("GET", []) => Ok(Some(self.base(host))),
            ("PUT", ["configData"]) => self.config(body),
            ("GET", ["deploymentBase", id]) => self.deployment(id, host),
            ("POST", ["deploymentBase", id, "feedback"]) => self.feedback(id, body),
            ("GET", ["cancelAction", id]) => self.order(id),
            ("POST", ["cancelAction", id, "feedback"]) => self.cancel_feedback(id, body),
            ("POST", ["confirmationBase", id, "feedback"]) => self.consent(id, body),
            _ => Err(404),
        };
        match answer {
            Ok(Some(value)) => (200, value.to_string().into_bytes()),
            Ok(None) => (200, vec![]),
            Err(status) => (status, vec![]),
        }
    }

    fn base(&self, host: &str) -> Value {
        let mut links = serde_json::Map::new();
        let mut link = |name: &str, path: String| {
            links.insert(name.into(), json!({ "href": format!("{host}{BASE}/{path}") }));
        };
        if let Some(action) = self.actions.iter().find(|action| action.status.is_active()) {
            let id = &action.id;
            match action.status {
                Status::WaitsForConsent => link("confirmationBase", format!("confirmationBase/{id}?c=1")),
                Status::Canceling => link("cancelAction", format!("cancelAction/{id}")),
                _ => link("deploymentBase", format!("deploymentBase/{id}?c=-2129030598")),
            }
        }
        if self.wants_attributes {
            link("configData", "configData".into());
        }
        json!({ "config": { "polling": { "sleep": self.sleep } }, "_links": links })
    }

    fn find(&mut self, id: &str) -> Result<&mut Action, u16> {
        self.actions.iter_mut().find(|action| action.id == id).ok_or(404)
    }

    fn config(&mut self, body: &[u8]) -> Result<Option<Value>, u16> {
        let value: Value = serde_json::from_slice(body).map_err(|_| 400u16)?;
        let data = value["data"].as_object().ok_or(400u16)?;
        if data.is_empty()
            || data
                .iter()
                .any(|(key, value)| key.len() > 128 || value.as_str().is_none_or(|value| value.len() > 128))
        {
            return Err(400);
        }
        for (key, value) in data {
            self.attributes.insert(key.clone(), value.as_str().unwrap().into());
        }
        self.wants_attributes = false;
        self.messages += 1;
        Ok(None)
    }

    fn deployment(&mut self, id: &str, host: &str) -> Result<Option<Value>, u16> {
        let action = self.find(id)?;
        if action.status != Status::Running {
            return Err(404);
        }
        let artifacts: Vec<Value> = action
            .files
            .iter()
            .map(|file| {
                let here = format!("{host}/files/{}", file.name);
                let url = file.elsewhere.as_ref().unwrap_or(&here);
                json!({ "filename": file.name, "size": file.size,
                    "hashes": { "sha1": file.sha1, "md5": "0", "sha256": "0" },
                    "_links": { "download-http": { "href": url } } })
            })
            .collect();
        // Each file is a chunk of its own, as the modules of a distribution set are.
        let chunks: Vec<Value> = artifacts
            .iter()
            .map(|artifact| json!({ "part": "os", "version": "1", "name": "os", "artifacts": [artifact] }))
            .collect();
        let mut deployment =
            json!({ "download": action.download, "update": action.update, "chunks": chunks });
        if let Some(window) = action.window {
            deployment["maintenanceWindow"] = json!(window);
        }
        Ok(Some(json!({ "id": action.id, "deployment": deployment })))
    }

    fn read(id: &str, body: &[u8]) -> Result<Kept, u16> {
        let value: Value = serde_json::from_slice(body).map_err(|_| 400u16)?;
        let status = &value["status"];
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(400u16);
        let (execution, finished) = (text(&status["execution"])?, text(&status["result"]["finished"])?);
        let known = [
            "closed",
            "proceeding",
            "canceled",
            "scheduled",
            "rejected",
            "resumed",
            "downloaded",
            "download",
        ];
        if !known.contains(&&execution[..]) || !["success", "failure", "none"].contains(&&finished[..]) {
            return Err(400);
        }
        let details: Vec<String> = match &status["details"] {
            Value::Null => vec![],
            Value::Array(lines) => lines.iter().map(text).collect::<Result<_, _>>()?,
            _ => return Err(400),
        };
        if details.len() > 50 || details.iter().any(|line| line.chars().count() > 512) {
            return Err(403);
        }
        Ok(Kept { action: id.into(), execution, finished, details })
    }

    fn feedback(&mut self, id: &str, body: &[u8]) -> Result<Option<Value>, u16> {
        let kept = Hawkbit::read(id, body)?;
        let action = self.find(id)?;
        match action.status {
            Status::WaitsForConsent => return Err(404),
            status if !status.is_active() => return Err(410),
            _ => {}
        }
        match (&kept.execution[..], &kept.finished[..]) {
            ("closed", "failure") => action.status = Status::Error,
            ("closed", _) => action.status = Status::Finished,
            ("canceled", _) => action.status = Status::Canceled,
            ("downloaded", _) if action.update == "skip" && action.window.is_none() => {
                action.status = Status::Downloaded;
            }
            _ => {}
        }
        self.wants_attributes |= self.status(id) == Status::Finished;
        self.kept.push(kept);
        self.messages += 1;
        Ok(None)
    }

    fn order(&mut self, id: &str) -> Result<Option<Value>, u16> {
        match self.find(id)?.status {
            Status::Canceling | Status::Canceled => {
                Ok(Some(json!({ "id": id, "cancelAction": { "stopId": id } })))
            }
            _ => Err(404),
        }
    }

    fn cancel_feedback(&mut self, id: &str, body: &[u8]) -> Result<Option<Value>, u16> {
        let kept = Hawkbit::read(id, body)?;
        let action = self.find(id)?;
        if action.status != Status::Canceling {
            return Err(405);
        }
        match (&kept.execution[..], &kept.finished[..]) {
            ("closed", "failure") | ("rejected", _) => action.status = Status::Running,
            ("closed", _) => action.status = Status::Canceled,
            _ => {}
        }
        self.kept.push(kept);
        self.messages += 1;
        Ok(None)
    }

    fn consent(&mut self, id: &str, body: &[u8]) -> Result<Option<Value>, u16> {
        let value: Value = serde_json::from_slice(body).map_err(|_| 400u16)?;
        let word = value["confirmation"].as_str().ok_or(400u16)?.to_owned();
        let action = self.find(id)?;
        match (action.status, &word[..]) {
            (Status::WaitsForConsent, "confirmed") => action.status = Status::Running,
            (Status::WaitsForConsent, "denied") => {}
            (status, _) if !status.is_active() => return Err(410),
            (Status::WaitsForConsent, _) => return Err(400),
            _ => return Err(404),
        }
        self.consents.push((id.into(), word));
        self.messages += 1;
        Ok(None)
    }
}
