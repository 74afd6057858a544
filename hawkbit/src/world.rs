//! What the client needs of the world. A real one is in `real.rs`, a simulated one in the tests.

use std::rc::Rc;
use std::time::Duration;

use bootslot::device::Device;
use bootslot::update::bundle::signature::Keyring;
use bootslot::update::source::http::{Method, NoAnswer, Reply};
use bootslot::update::source::Source;
use bootslot::update::target::Parts;
use bootslot::update::Result;

/// What somebody at the device is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Whether an action may be carried out, which the server wants to know before it offers it.
    Consent,
    /// Whether now is a good time to install an action that can wait.
    Install,
    /// Whether now is a good time to reboot into one.
    Reboot,
}

/// What the client needs of the world.
pub trait World {
    /// The device, as it is now.
    ///
    /// # Errors
    ///
    /// Those of [`Device::open`].
    fn device(&mut self) -> bootslot::Result<Device>;

    /// Where its slots are.
    fn parts(&mut self) -> Rc<dyn Parts>;

    /// Whose bundles it trusts.
    ///
    /// # Errors
    ///
    /// Those of [`Keyring::load`].
    fn keys(&mut self) -> Result<Keyring>;

    /// A file of the server's. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The address can't be used.
    fn source(&mut self, url: &str) -> Result<Box<dyn Source>>;

    /// Asks the server, or tells it something: `path` is behind the address of this device there, such as
    /// `/deploymentBase/8/feedback`; empty for the address itself.
    ///
    /// # Errors
    ///
    /// Nobody knows whether it has heard that.
    fn send(&mut self, method: Method, path: &str, body: &[u8]) -> std::result::Result<Reply, NoAnswer>;

    /// A clock that nobody sets.
    fn clock(&mut self) -> Duration;

    /// Asks somebody about an action. `None`: there is no answer yet.
    fn ask(&mut self, question: Question, action: &str) -> Option<bool>;

    /// Makes the machine reboot, soon.
    ///
    /// # Errors
    ///
    /// Why it does not, in words.
    fn reboot(&mut self) -> std::result::Result<(), String>;

    /// Says what goes on.
    fn say(&mut self, text: &str);
}
