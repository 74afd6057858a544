//! Ctrl-C, and the order to end: what writes ends in order, at the next chunk. A second one ends it at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether somebody wants this process to end.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on signals are heard. Where that can't be, they do what they always do.
    pub fn heard() -> Interrupt {
        let interrupt = Interrupt::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first one sets the flag that lets the second one end the process.
            let _ = flag::register_conditional_default(signal, Arc::clone(&interrupt.0));
            let _ = flag::register(signal, Arc::clone(&interrupt.0));
        }
        interrupt
    }

    /// Whether it was heard.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The same, as a listener of an installation answers.
    pub fn flow(&self) -> ControlFlow<()> {
        match self.is_set() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Does this as soon as it is: for what waits and does not look.
    #[cfg(feature = "http")]
    pub fn then(&self, act: impl FnOnce() + Send + 'static) {
        let interrupt = self.clone();
        std::thread::spawn(move || {
            while !interrupt.is_set() {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            act();
        });
    }
}
