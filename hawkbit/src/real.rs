//! The world as it is: the device of the settings, a server over HTTP, programs that are asked, a log on standard error.

use std::env;
use std::io::Write;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bootslot::device::Device;
use bootslot::process::{self, Limits};
use bootslot::store::StoreOptions;
use bootslot::update::bundle::signature::Keyring;
use bootslot::update::source::http::url::Url;
use bootslot::update::source::http::{
    ClientFiles, Exchange, HttpSource, Method, NoAnswer, Options, Proxies, Reply, Retry,
};
use bootslot::update::source::Source;
use bootslot::update::target::Parts;
use bootslot::update::{Result, UpdateError};
use bootslot::Error;

use crate::settings::Settings;
use crate::world::{Question, World};

/// What DDI's messages are.
const KIND: &str = "application/json";
/// The longest answer of the server's.
const LONGEST: usize = 1 << 20;
/// How long a program may take that is asked.
const ASKING: Duration = Duration::from_secs(60);
/// A download ends after so long without a new byte. The next visit goes on where it was.
pub(crate) const RETRY: Duration = Duration::from_secs(300);

/// The world as it is.
pub struct Real {
    settings: Settings,
    board: bootslot::settings::Settings,
    store: StoreOptions,
    http: Options,
    exchange: Exchange,
    base: String,
    start: Instant,
}

impl Real {
    /// For these settings; `board` are the device's, `store` says how its environment is opened. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Why not, in words: a file can't be used that the settings name.
    pub fn new(
        settings: Settings,
        board: bootslot::settings::Settings,
        store: StoreOptions,
    ) -> std::result::Result<Real, String> {
        let client = settings.client.clone();
        let http = Options {
            headers: settings.authorization()?.into_iter().collect(),
            user_agent: concat!("bootslot-hawkbit/", env!("CARGO_PKG_VERSION")).into(),
            ca: settings.ca.clone(),
            client: client.map(|(certificate, key)| ClientFiles { certificate, key }),
            proxies: proxies(),
            retry: Retry { limit: RETRY, ..Retry::default() },
            ..Options::default()
        };
        let exchange = Exchange::new(&settings.url, &http).map_err(|error| error.to_string())?;
        let base = settings.base();
        Ok(Real { settings, board, store, http, exchange, base, start: Instant::now() })
    }

    fn run(&self, command: &[String], argument: Option<[&str; 2]>) -> Option<bool> {
        let (program, arguments) = command.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments).args(argument.into_iter().flatten());
        let limits = Limits { time: ASKING, grace: Duration::from_secs(5), output: 1024 };
        match process::run(command, &limits) {
            Ok(ran) if ran.succeeded() => Some(true),
            Ok(ran) => (ran.end == process::End::Exited(1)).then_some(false),
            Err(error) => {
                self.log(&format!("{program}: {error}"));
                None
            }
        }
    }

    fn log(&self, text: &str) {
        // If that can't be written, there is nobody to tell.
        let _ = std::io::stderr().write_all(format!("bootslot-hawkbit: {text}\n").as_bytes());
    }
}

impl World for Real {
    fn device(&mut self) -> bootslot::Result<Device> {
        Device::open(&self.board, &self.store)
    }

    fn parts(&mut self) -> Rc<dyn Parts> {
        Rc::new(self.board.clone())
    }

    fn keys(&mut self) -> Result<Keyring> {
        let update = &self.board.update;
        Ok(Keyring::load(&update.keys)?.with_certificates(update.certificates))
    }

    fn source(&mut self, url: &str) -> Result<Box<dyn Source>> {
        let address = Url::parse(url).map_err(|reason| UpdateError::Device(Error::Refused(reason.into())))?;
        let mut options = self.http.clone();
        if !address.has_origin_of(self.exchange.home()) {
            // What proves who the device is goes to the server alone. Another one has an address that proves it.
            options.headers.clear();
            options.client = None;
        }
        Ok(Box::new(HttpSource::new(url, options)?))
    }

    fn send(&mut self, method: Method, path: &str, body: &[u8]) -> std::result::Result<Reply, NoAnswer> {
        self.exchange.send(method, &format!("{}{path}", self.base), KIND, body, LONGEST)
    }

    fn clock(&mut self) -> Duration {
        self.start.elapsed()
    }

    fn ask(&mut self, question: Question, action: &str) -> Option<bool> {
        let (command, word) = match question {
            Question::Consent => (&self.settings.consent, "consent"),
            Question::Install => (&self.settings.ready, "install"),
            Question::Reboot => (&self.settings.ready, "reboot"),
        };
        match command {
            Some(command) => self.run(command, Some([word, action])),
            None if question == Question::Consent => None,
            None => Some(true),
        }
    }

    fn reboot(&mut self) -> std::result::Result<(), String> {
        match self.settings.reboot.first() {
            None => Ok(()),
            Some(_) if self.run(&self.settings.reboot, None) == Some(true) => Ok(()),
            Some(program) => Err(format!("{program}: the machine does not reboot")),
        }
    }

    fn say(&mut self, text: &str) {
        self.log(text);
    }
}

/// Those of this process.
fn proxies() -> Proxies {
    Proxies::named(&|name| env::var(name).ok())
}
