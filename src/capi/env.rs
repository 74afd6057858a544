//! The environment for C: open, read, change in a transaction, iterate, check, repair.

use std::ffi::{c_char, CStr};
use std::path::Path;
use std::time::Duration;

use super::boundary::{
    given_size, optional_text, output, path, read_sized, text, unused, write_sized, Failure, Handle, Outcome,
    Sized1,
};
use super::code::bootslot_code::{self, *};
use super::given::{c_string, Given};
use crate::config::find_environment;
use crate::env::redundancy::CopyState;
use crate::env::text::{export, parse_script};
use crate::env::Environment;
use crate::store::{Draft, Health, LockPath, Repair, Store, StoreOptions, Transaction};

/// An environment. Made by bootslot_env_new, freed by bootslot_env_free.
pub struct bootslot_env(#[allow(dead_code, reason = "the name in C of what is a Handle")] Handle<Session>);

/// Which environment to open, and how. Leave zero in what shall have its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_env_options {
    /// sizeof(bootslot_env_options)
    pub struct_size: usize,
    /// The configuration file, in U-Boot's format or libubootenv's YAML. NULL: /etc/fw_env.config.
    pub config: *const c_char,
    /// The environment of this name in a YAML configuration. NULL: the one that the device tree names,
    /// else the first.
    pub name_space: *const c_char,
    /// The directory of the lock file. NULL: the configuration's lock file, else /run and /var/lock.
    pub lock_directory: *const c_char,
    /// How long to wait for another process that holds the lock, in milliseconds. 0: 60 s.
    pub lock_timeout: u32,
    /// For later versions: has to be zero.
    pub reserved: [u8; 4],
}

// SAFETY: NULL pointers and 0 are values, and the defaults.
unsafe impl Sized1 for bootslot_env_options {
    const FIRST: usize = end_of!(Self, reserved: [u8; 4]);
}

/// The state of one copy.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_copy_state {
    /// There is no such copy.
    BOOTSLOT_COPY_NONE = 0,
    /// Its checksum is right.
    BOOTSLOT_COPY_VALID = 1,
    /// Its checksum is wrong.
    BOOTSLOT_COPY_BAD_CRC = 2,
    /// Nothing was ever stored.
    BOOTSLOT_COPY_BLANK = 3,
    /// The medium returned an error.
    BOOTSLOT_COPY_UNREADABLE = 4,
    /// A single copy, from before there were two. It is used where the other one is not valid.
    BOOTSLOT_COPY_SINGLE = 5,
}

impl From<CopyState> for bootslot_copy_state {
    fn from(state: CopyState) -> Self {
        match state {
            CopyState::Valid { .. } => bootslot_copy_state::BOOTSLOT_COPY_VALID,
            CopyState::BadCrc => bootslot_copy_state::BOOTSLOT_COPY_BAD_CRC,
            CopyState::Blank => bootslot_copy_state::BOOTSLOT_COPY_BLANK,
            CopyState::Unreadable => bootslot_copy_state::BOOTSLOT_COPY_UNREADABLE,
            CopyState::Single => bootslot_copy_state::BOOTSLOT_COPY_SINGLE,
        }
    }
}

/// The health of an environment.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_health {
    /// sizeof(bootslot_health), set by the caller
    pub struct_size: usize,
    /// How many copies there are: 1 or 2.
    pub copies: i32,
    /// The copy that is used: 0 or 1; -1 if none is valid.
    pub current: i32,
    /// The state of each copy.
    pub state: [bootslot_copy_state; 2],
    /// Every copy is valid, and every reader takes the same one.
    pub healthy: bool,
    /// U-Boot and every tool take the same copy.
    pub readers_agree: bool,
    /// A power cut during a store can't lose the environment.
    pub power_cut_safe: bool,
    /// For later versions: zero.
    pub reserved: [u8; 5],
    /// Bytes of a copy, header included.
    pub size: usize,
    /// Bytes that the variables use, final NUL included.
    pub used: usize,
    /// Bytes that are left for variables.
    pub free_space: usize,
    /// How many variables there are.
    pub variables: usize,
    /// What is odd or wrong, a line each; "" if nothing. Borrowed.
    pub findings: *const c_char,
}

// SAFETY: zero bytes are numbers, false, a NULL pointer and BOOTSLOT_COPY_NONE.
unsafe impl Sized1 for bootslot_health {
    const FIRST: usize = end_of!(Self, findings: *const c_char);
}

/// An environment as a handle holds it.
#[derive(Default)]
struct Session {
    store: Option<Store>,
    /// The transaction that is under way.
    draft: Option<Draft>,
    /// What was read where none is.
    loaded: Option<Environment>,
    /// What an iteration goes through: names and values in turn, each with its NUL, and how far it is.
    list: Vec<u8>,
    at: usize,
    /// Whether it is what is there now.
    list_is_new: bool,
    /// What was lent to the caller.
    given: Given,
}

impl Session {
    fn store(&mut self) -> Outcome<&mut Store> {
        self.store.as_mut().ok_or_else(|| Failure::new(BOOTSLOT_ERROR_STATE, "the environment is not open"))
    }

    /// From here on the variables may be others: what was lent ends with this call.
    fn begin_anew(&mut self) {
        self.given.end();
        self.list_is_new = false;
    }

    /// The store, if no transaction is under way on it.
    fn idle_store(&mut self) -> Outcome<&mut Store> {
        if self.draft.is_some() {
            return Err(Failure::new(BOOTSLOT_ERROR_STATE, "a transaction is under way: commit or abort it"));
        }
        self.store()
    }

    /// Does something in the transaction that is under way. It stays so, whatever comes out.
    fn change<T>(&mut self, f: impl FnOnce(&mut Transaction<'_>) -> Outcome<T>) -> Outcome<T> {
        let result = self.read_draft(f)?;
        self.begin_anew();
        Ok(result)
    }

    /// Looks into it.
    fn read_draft<T>(&mut self, f: impl FnOnce(&mut Transaction<'_>) -> Outcome<T>) -> Outcome<T> {
        let (store, draft) = self.take_draft()?;
        let mut transaction = store.resume(draft);
        let result = f(&mut transaction);
        self.draft = Some(transaction.suspend());
        result
    }

    fn take_draft(&mut self) -> Outcome<(&mut Store, Draft)> {
        match (self.store.as_mut(), self.draft.take()) {
            (Some(store), Some(draft)) => Ok((store, draft)),
            _ => Err(Failure::new(BOOTSLOT_ERROR_STATE, "no transaction is under way: begin one")),
        }
    }

    /// The variables as the caller sees them now, read if they have not been yet.
    fn see<T>(&mut self, f: impl FnOnce(&Environment) -> T) -> Outcome<T> {
        if self.draft.is_some() {
            return self.read_draft(|transaction| Ok(f(transaction.environment())));
        }
        if self.loaded.is_none() {
            self.loaded = Some(self.store()?.load()?.environment());
        }
        Ok(f(self.loaded.get_or_insert_default()))
    }

    /// The next string of the list.
    fn next(&mut self) -> Option<*const c_char> {
        let string = CStr::from_bytes_until_nul(self.list.get(self.at..)?).ok()?;
        self.at += string.count_bytes() + 1;
        Some(string.as_ptr())
    }
}

unsafe fn call(
    env: *const bootslot_env,
    f: impl FnOnce(&mut Session) -> Outcome<bootslot_code>,
) -> bootslot_code {
    Handle::call(env.cast::<Handle<Session>>(), |session, given| {
        std::mem::swap(&mut session.given, given);
        let outcome = f(session);
        std::mem::swap(&mut session.given, given);
        outcome
    })
}

exports! { EXPORTS:
    /// Makes a new handle, which is not open yet. It is never NULL, except by a mistake in this library.
    fn bootslot_env_new() -> *mut bootslot_env {
        Handle::new(Session::default()).cast::<bootslot_env>()
    }

    /// Frees the handle. A transaction that is under way is given up, and its lock with it. Freeing NULL does
    /// nothing.
    fn bootslot_env_free(env: *mut bootslot_env) {
        Handle::free(env.cast::<Handle<Session>>());
    }

    /// Says what went wrong in the last call with this handle, and where: file, offset or line, step. It is "" if
    /// that call did not fail. Borrowed. It is never NULL, not even for NULL.
    fn bootslot_env_last_error(env: *const bootslot_env) -> *const c_char {
        Handle::last_error(env.cast::<Handle<Session>>())
    }

    /// Opens the environment. This reads nothing from its copies yet, and writes nothing. With NULL for
    /// `options`, all of them have their default.
    fn bootslot_env_open(env: *mut bootslot_env, options: *const bootslot_env_options) -> bootslot_code {
        call(env, |session| {
            if session.store.is_some() {
                return Err(Failure::new(BOOTSLOT_ERROR_STATE, "the environment is open already"));
            }
            let (mut config, mut name_space, mut store_options) = (None, None, StoreOptions::default());
            if !options.is_null() {
                let options = read_sized(options)?;
                unused(&options.reserved)?;
                config = optional_text(options.config).map(path);
                name_space = optional_text(options.name_space).map(String::from_utf8_lossy);
                let directory = optional_text(options.lock_directory);
                store_options.lock = directory.map(|directory| LockPath::Directory(path(directory).into()));
                if options.lock_timeout > 0 {
                    store_options.lock_timeout = Duration::from_millis(options.lock_timeout.into());
                }
            }
            let environment = find_environment(config, name_space.as_deref())?;
            session.store = Some(Store::open(&environment, &store_options)?);
            Ok(BOOTSLOT_OK)
        })
    }

    /// Reads the environment, without a lock. The other functions do this themselves when nothing has been read
    /// yet. Call it to see what others have stored since. Not possible in a transaction.
    fn bootslot_env_load(env: *mut bootslot_env) -> bootslot_code {
        call(env, |session| {
            let loaded = session.idle_store()?.load()?.environment();
            session.begin_anew();
            session.loaded = Some(loaded);
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets the value of a variable. In a transaction it is the one that the commit will store. Borrowed. The result is
    /// BOOTSLOT_UNDEFINED if there is no such variable.
    fn bootslot_env_get(env: *mut bootslot_env, name: *const c_char, value: *mut *const c_char) -> bootslot_code {
        call(env, |session| {
            let (name, value) = (text(name, "name")?, output(value, "value")?);
            let Some(found) = session.see(|variables| variables.get(name).map(<[u8]>::to_vec))? else {
                return Ok(BOOTSLOT_UNDEFINED);
            };
            *value = session.given.lend(&found);
            Ok(BOOTSLOT_OK)
        })
    }

    /// Starts an iteration over all variables as they are now, in the order in which they are stored.
    fn bootslot_env_rewind(env: *mut bootslot_env) -> bootslot_code {
        call(env, |session| {
            if session.list_is_new {
                session.at = 0;
                return Ok(BOOTSLOT_OK);
            }
            // Should reading fail, no variable of before is given out as one of now.
            session.at = session.list.len();
            session.list = session.see(|variables| {
                let mut list = Vec::with_capacity(variables.encoded_len() + variables.len());
                for (name, value) in variables.iter() {
                    for string in [name, value] {
                        list.extend_from_slice(string);
                        list.push(0);
                    }
                }
                list
            })?;
            (session.at, session.list_is_new) = (0, true);
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets the next variable of the iteration, or returns BOOTSLOT_END after the last one. Changes do not show in an
    /// iteration that goes on. Both strings stay valid until the bootslot_env_rewind after a change or a load.
    fn bootslot_env_next(
        env: *mut bootslot_env,
        name: *mut *const c_char,
        value: *mut *const c_char,
    ) -> bootslot_code {
        call(env, |session| {
            let (name, value) = (output(name, "name")?, output(value, "value")?);
            match (session.next(), session.next()) {
                (Some(next_name), Some(next_value)) => {
                    (*name, *value) = (next_name, next_value);
                    Ok(BOOTSLOT_OK)
                }
                _ => Ok(BOOTSLOT_END),
            }
        })
    }

    /// Gets all variables as text, with one `name=value` in each line, sorted. bootslot_env_script and U-Boot's
    /// `env import -t` take such a text. Free it with bootslot_string_free.
    fn bootslot_env_export(env: *mut bootslot_env, exported: *mut *mut c_char) -> bootslot_code {
        call(env, |session| {
            let exported = output(exported, "exported")?;
            let bytes = session.see(|variables| export(variables.iter()))??;
            *exported = c_string(bytes).into_raw();
            Ok(BOOTSLOT_OK)
        })
    }

    /// Begins a transaction: takes the lock and reads the environment. Then make any number of changes, and end with
    /// bootslot_env_commit or bootslot_env_abort.
    fn bootslot_env_begin(env: *mut bootslot_env) -> bootslot_code {
        call(env, |session| {
            let draft = session.idle_store()?.begin()?.suspend();
            session.begin_anew();
            session.draft = Some(draft);
            Ok(BOOTSLOT_OK)
        })
    }

    /// As bootslot_env_begin. But if no copy is valid, it starts an empty environment, and the commit writes even if
    /// nothing is set. Nothing else makes an environment out of nothing.
    fn bootslot_env_begin_or_init(env: *mut bootslot_env) -> bootslot_code {
        call(env, |session| {
            let draft = session.idle_store()?.begin_or_init(Environment::new())?.suspend();
            session.begin_anew();
            session.draft = Some(draft);
            Ok(BOOTSLOT_OK)
        })
    }

    /// Sets a variable in the transaction. An empty value deletes it, as in U-Boot. An error leaves the transaction as it
    /// was.
    fn bootslot_env_set(env: *mut bootslot_env, name: *const c_char, value: *const c_char) -> bootslot_code {
        call(env, |session| {
            let (name, value) = (text(name, "name")?, text(value, "value")?);
            session.change(|transaction| Ok(transaction.set(name, value)?))?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Deletes a variable in the transaction. It is no error if the variable is not defined.
    fn bootslot_env_unset(env: *mut bootslot_env, name: *const c_char) -> bootslot_code {
        call(env, |session| {
            let name = text(name, "name")?;
            session.change(|transaction| Ok(transaction.unset(name)?))?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Makes the changes of a script in the transaction. Its lines are `name value` or `name=value`. A name alone deletes
    /// the variable, and `#` starts a comment. With an error, none of the changes is made.
    fn bootslot_env_script(env: *mut bootslot_env, script: *const c_char) -> bootslot_code {
        call(env, |session| {
            let script = text(script, "script")?;
            let changes = parse_script(script, Path::new("script"))?;
            let lines: Vec<_> =
                changes.iter().map(|change| (change.name, change.value.as_deref().unwrap_or_default())).collect();
            session.change(|transaction| {
                transaction.set_all(&lines).map_err(|(number, error)| {
                    let line = changes.get(number).map_or(0, |change| change.line);
                    Failure::new((&error).into(), format!("script:{line}: {error}"))
                })
            })?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Stores all changes at once, and ends the transaction. Without changes it stores nothing. An error ends the
    /// transaction, too. Then the old environment is in force or the new one, whole. The medium decides which one, since
    /// a sync that fails may have done its work. bootslot_env_load tells.
    fn bootslot_env_commit(env: *mut bootslot_env) -> bootslot_code {
        call(env, |session| {
            let (store, draft) = session.take_draft()?;
            let commit = store.resume(draft).commit();
            session.loaded = None;
            session.begin_anew();
            commit?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gives the transaction up. Nothing is written, and the lock is free.
    fn bootslot_env_abort(env: *mut bootslot_env) -> bootslot_code {
        call(env, |session| {
            session.take_draft()?;
            session.loaded = None;
            session.begin_anew();
            Ok(BOOTSLOT_OK)
        })
    }

    /// Looks at every copy, whatever its state, without a lock. Not possible in a transaction.
    fn bootslot_env_check(env: *mut bootslot_env, health: *mut bootslot_health) -> bootslot_code {
        call(env, |session| {
            given_size(health)?;
            let found = session.idle_store()?.check();
            let findings = session.given.lend(findings(&found).as_bytes());
            let state = |copy: usize| match found.copies.get(copy) {
                Some(copy) => copy.state.into(),
                None => bootslot_copy_state::BOOTSLOT_COPY_NONE,
            };
            let ours = bootslot_health {
                struct_size: 0,
                copies: found.copies.len() as i32,
                current: found.current.map_or(-1, |copy| copy as i32),
                state: [state(0), state(1)],
                healthy: found.is_healthy(),
                readers_agree: found.readers_agree,
                power_cut_safe: found.power_cut_safe,
                reserved: [0; 5],
                size: found.size,
                used: found.used,
                free_space: found.free,
                variables: found.variables,
                findings,
            };
            write_sized(health, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Writes a damaged copy again from the current one. `repaired` is the copy that was written, or -1 if there was no
    /// need. Not possible in a transaction.
    fn bootslot_env_repair(env: *mut bootslot_env, repaired: *mut i32) -> bootslot_code {
        call(env, |session| {
            let repaired = output(repaired, "repaired")?;
            let repair = session.idle_store()?.repair()?;
            session.begin_anew();
            *repaired = match repair {
                Repair::Healthy | Repair::Single => -1,
                Repair::Rewritten { copy, .. } => copy as i32,
            };
            Ok(BOOTSLOT_OK)
        })
    }
}

/// What is wrong with the copies, and what is odd in the variables.
fn findings(health: &Health) -> String {
    let mut lines = Vec::new();
    for (number, copy) in health.copies.iter().enumerate() {
        match &copy.error {
            Some(error) => lines.push(format!("copy {number}: {error}")),
            None if !copy.state.is_valid() => lines.push(format!(
                "copy {number} ({} at {:#x}): {}",
                copy.path.display(),
                copy.offset,
                copy.state
            )),
            None => {}
        }
    }
    lines.extend(health.anomalies.iter().map(ToString::to_string));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::fs;
    use std::ptr;

    #[test]
    fn an_iteration_that_could_not_begin_anew_gives_nothing_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("env"), [0xff; 0x2000]).unwrap();
        let place = path("env").display().to_string();
        fs::write(path("config"), format!("{place} 0 0x1000\n{place} 0x1000 0x1000\n")).unwrap();
        let c = |name: &str| CString::new(path(name).to_str().unwrap()).unwrap();
        let (config, directory) = (c("config"), c("."));
        let options = bootslot_env_options {
            struct_size: size_of::<bootslot_env_options>(),
            config: config.as_ptr(),
            name_space: ptr::null(),
            lock_directory: directory.as_ptr(),
            lock_timeout: 0,
            reserved: [0; 4],
        };
        // SAFETY: it takes nothing.
        let env = unsafe { bootslot_env_new() };
        let (mut name, mut value) = (ptr::null(), ptr::null());
        // SAFETY: the rules of the header.
        unsafe {
            assert_eq!(bootslot_env_open(env, &options), BOOTSLOT_OK);
            assert_eq!(bootslot_env_begin_or_init(env), BOOTSLOT_OK);
            assert_eq!(bootslot_env_set(env, c"a".as_ptr(), c"1".as_ptr()), BOOTSLOT_OK);
            assert_eq!(bootslot_env_commit(env), BOOTSLOT_OK);
            assert_eq!(bootslot_env_rewind(env), BOOTSLOT_OK);
            assert_eq!(bootslot_env_next(env, &mut name, &mut value), BOOTSLOT_OK);
            assert_eq!(bootslot_env_begin(env), BOOTSLOT_OK);
            assert_eq!(bootslot_env_abort(env), BOOTSLOT_OK);
            fs::remove_file(path("env")).unwrap();
            assert_eq!(bootslot_env_rewind(env), BOOTSLOT_ERROR_NO_VALID_COPY);
            assert_eq!(bootslot_env_next(env, &mut name, &mut value), BOOTSLOT_END);
            assert_eq!(CStr::from_ptr(name), c"a", "what was lent stays");
            bootslot_env_free(env);
        }
    }
}
