//! libubootenv's functions (0.3.7), so that programs which link `libubootenv.so.0` run on this library.
//!
//! A context goes through the same states as there:
//!
//! ```text
//!  read_config, configure        open                  set_env, load_file    env_store
//!  ---------------------> known ------> open, locked ---------------------> changed ------> open, locked
//!                           ^  close        |
//!                           '---------------'
//! ```
//!
//! Returned are 0 or a negative errno, the same number as there wherever that number is no accident. What
//! differs is what loses data there: see docs/c-api.md.

use std::ffi::{c_char, c_int, c_longlong, c_uint, c_ulong, c_void, CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use super::boundary::{malloc_copy, optional_text};
use super::given::c_string;
use crate::config::{namespace_from_device_tree, Config, Device, EnvConfig};
use crate::env::Environment;
use crate::error::Error;
use crate::store::{Draft, Store, StoreOptions, Transaction};

/// The version whose functions these are.
const VERSION: [u8; 3] = [0, 3, 7];
const VERSION_TEXT: &CStr = c"0.3.7";

/// What one read of standard input or of a file of variables may give.
pub(crate) const LARGEST_TEXT: u64 = 64 << 20;

/// Where one copy lies, for `libuboot_configure`.
#[repr(C)]
pub struct uboot_env_device {
    devname: *mut c_char,
    offset: c_longlong,
    envsize: usize,
    sectorsize: usize,
    envsectors: c_ulong,
}

/// What `libuboot_version_info` tells.
#[repr(C)]
pub struct uboot_version_info {
    version: *const c_char,
    version_num: c_uint,
}

// SAFETY: it is never written, and its string is static.
unsafe impl Sync for uboot_version_info {}

static VERSION_INFO: uboot_version_info = uboot_version_info {
    version: VERSION_TEXT.as_ptr(),
    version_num: c_uint::from_be_bytes([0, VERSION[0], VERSION[1], VERSION[2]]),
};

/// A context. Those of one configuration file belong together: whoever holds one holds all.
#[derive(Default)]
pub struct uboot_ctx {
    config: Option<EnvConfig>,
    opened: Option<Opened>,
    /// The list that this context is in, the same for all in it. Made by `list`, freed by `libuboot_exit`.
    list: Option<ptr::NonNull<List>>,
}

/// The contexts of one configuration file. Boxed each, since callers keep pointers to them.
type List = Vec<Box<uboot_ctx>>;

/// What `libuboot_open` makes and `libuboot_close` ends.
#[derive(Default)]
struct Opened {
    /// The store and the transaction on it. None where the environment can't be stored, for `refusal`.
    locked: Option<(Store, Draft)>,
    /// The variables where there is no transaction.
    variables: Environment,
    refusal: c_int,
    /// What the last change returned. SWUpdate does not look at it: a store after a change that was refused
    /// must not succeed.
    refused: c_int,
    /// What iterations go through, sorted: one for each name there ever was, and no more however often somebody
    /// starts again. A deleted variable's stays until the close, since a caller may still stand on it.
    #[allow(clippy::vec_box, reason = "callers keep pointers to them")]
    entries: Vec<Box<Entry>>,
    /// The first one, where they are as the variables are now.
    first: Option<*const Entry>,
}

/// One variable in an iteration.
pub struct Entry {
    name: CString,
    value: CString,
    /// Whether the variable was there when an iteration last began.
    defined: bool,
    next: *const Entry,
}

impl Opened {
    /// Takes the lock and reads. The number is what `libuboot_open` returns.
    fn new(config: &EnvConfig) -> (Opened, c_int) {
        // What can't be read is judged below: variables may be set all the same, but not stored.
        let options = StoreOptions { init_unreadable: true, ..StoreOptions::default() };
        let mut store = match Store::open(config, &options) {
            Ok(store) => store,
            Err(error) => return Opened::unusable(errno(&error, libc::EIO)),
        };
        let begun = store.begin_or_init(Environment::new());
        match begun.map(|transaction| (transaction.found_nothing(), transaction.suspend())) {
            Ok((None, draft)) => (Opened { locked: Some((store, draft)), ..Opened::default() }, 0),
            // A copy that could not be read may be a good one: a new environment must not replace it.
            Ok((Some((_, true)), _)) => Opened::unusable(-libc::EIO),
            Ok((Some(_), draft)) => {
                (Opened { locked: Some((store, draft)), ..Opened::default() }, -libc::ENODATA)
            }
            // Reading needs no lock: on a read-only system, or where somebody never gives it back.
            Err(locking) => match store.load() {
                Ok(snapshot) => {
                    let (variables, refusal) = (snapshot.environment(), errno(&locking, libc::EBUSY));
                    (Opened { variables, refusal, ..Opened::default() }, 0)
                }
                Err(error) => Opened::unusable(errno(&error, libc::EIO)),
            },
        }
    }

    /// Nothing could be read: variables may be set, as a caller does who goes on with defaults, but they
    /// will not be stored.
    fn unusable(error: c_int) -> (Opened, c_int) {
        (Opened { refusal: error, ..Opened::default() }, error)
    }

    /// Does something in the transaction.
    ///
    /// Should it panic, the store and its lock are gone, and a later store must not report success.
    fn change<T>(&mut self, f: impl FnOnce(&mut Transaction<'_>) -> T) -> Option<T> {
        let (mut store, draft) = self.locked.take()?;
        self.refusal = -libc::ENOTRECOVERABLE;
        let mut transaction = store.resume(draft);
        let result = f(&mut transaction);
        let draft = transaction.suspend();
        self.locked = Some((store, draft));
        self.refusal = 0;
        Some(result)
    }

    fn see<T>(&mut self, f: impl Fn(&Environment) -> T) -> T {
        match self.change(|transaction| f(transaction.environment())) {
            Some(seen) => seen,
            None => f(&self.variables),
        }
    }

    fn set(&mut self, changes: &[(&[u8], &[u8])]) -> c_int {
        self.first = None;
        let set = self.change(|transaction| {
            // Defaults that replace a lost environment are under no rules yet, as with every tool.
            transaction.no_flags(transaction.found_nothing().is_some());
            transaction.set_all(changes).map_err(|(_, error)| error)
        });
        let set = set.unwrap_or_else(|| {
            changes.iter().try_for_each(|(name, value)| self.variables.set(name, value).map(drop))
        });
        self.refused = set.map_or_else(|error| errno(&error, libc::EINVAL), |()| 0);
        self.refused
    }

    fn store(&mut self) -> c_int {
        if self.refused != 0 {
            return self.refused;
        }
        match self.change(|transaction| transaction.checkpoint()) {
            Some(Ok(_)) => 0,
            Some(Err(error)) => errno(&error, libc::EIO),
            None => self.refusal,
        }
    }

    /// The first entry of an iteration over the variables as they are now, sorted by name.
    fn first(&mut self) -> *const Entry {
        if let Some(first) = self.first {
            return first;
        }
        let string = |bytes: &[u8]| c_string(bytes.to_vec());
        let variables: Vec<(CString, CString)> = self
            .see(|variables| variables.iter().map(|(name, value)| (string(name), string(value))).collect());
        for entry in &mut self.entries {
            entry.defined = false;
        }
        for (name, value) in variables {
            match self.entries.binary_search_by(|entry| entry.name.cmp(&name)) {
                Ok(at) => {
                    let Some(entry) = self.entries.get_mut(at) else { continue };
                    entry.defined = true;
                    // The pointer to one that is the same stays good.
                    if entry.value != value {
                        entry.value = value;
                    }
                }
                Err(at) => {
                    let entry = Entry { name, value, defined: true, next: ptr::null() };
                    self.entries.insert(at, Box::new(entry));
                }
            }
        }
        // From the last one on, so that each is told the next one that is there.
        let mut next = ptr::null();
        for entry in self.entries.iter_mut().rev() {
            entry.next = next;
            if entry.defined {
                next = &**entry;
            }
        }
        self.first = Some(next);
        next
    }
}

/// The negative errno of an error; of one that has none of its own, `other`.
fn errno(error: &Error, other: c_int) -> c_int {
    -match error {
        Error::Io { error, .. } => error.raw_os_error().unwrap_or(other),
        Error::NoValidCopy { .. } => libc::ENODATA,
        Error::TooBig { .. } => libc::ENOMEM,
        Error::Denied { .. } | Error::Value { .. } => libc::EPERM,
        Error::Locked { .. } => libc::EBUSY,
        Error::Config { .. } | Error::Namespace { .. } | Error::Name { .. } | Error::Device { .. } => {
            libc::EINVAL
        }
        _ => other,
    }
}

impl uboot_ctx {
    fn with(config: EnvConfig) -> uboot_ctx {
        uboot_ctx { config: Some(config), ..uboot_ctx::default() }
    }

    /// Takes a configuration over, unless its devices can't be opened. What was open is closed.
    fn configure(&mut self, config: EnvConfig) -> c_int {
        match config.validate().and_then(|()| Store::open(&config, &StoreOptions::default())) {
            Ok(_) => {
                self.opened = None;
                self.config = Some(config);
                0
            }
            Err(_) => -libc::EINVAL,
        }
    }
}

/// The two structures at `devices` as a configuration. One copy where the second has no name.
#[allow(clippy::unnecessary_cast, reason = "a C long has 32 bits where a pointer has")]
unsafe fn configuration(devices: *const uboot_env_device) -> EnvConfig {
    let device = |at: usize| {
        let device = &*devices.add(at);
        let path = optional_text(device.devname).filter(|path| !path.is_empty())?;
        Some(Device {
            path: Path::new(OsStr::from_bytes(path)).into(),
            offset: device.offset,
            size: device.envsize as u64,
            sector_size: device.sectorsize as u64,
            sectors: device.envsectors as u64,
            disable_lock: false,
        })
    };
    let first = device(0);
    let second = first.as_ref().and_then(|_| device(1));
    let devices = first.into_iter().chain(second).collect();
    EnvConfig { namespace: None, devices, lockfile: None, writelist: None }
}

/// What a context's pointer points to.
unsafe fn context<'a>(ctx: *mut uboot_ctx) -> Option<&'a mut uboot_ctx> {
    ctx.as_mut()
}

/// An open context.
unsafe fn opened<'a>(ctx: *mut uboot_ctx) -> Option<&'a mut Opened> {
    context(ctx)?.opened.as_mut()
}

/// The same; where it is not open, variables can be set all the same, but not stored.
unsafe fn opened_or_unusable<'a>(ctx: *mut uboot_ctx) -> Option<&'a mut Opened> {
    Some(context(ctx)?.opened.get_or_insert_with(|| Opened::unusable(-libc::EINVAL).0))
}

/// The text of a file, or of standard input for `-`.
fn read_text(file: &[u8]) -> io::Result<Vec<u8>> {
    if file == b"-" {
        whole(io::stdin().lock(), LARGEST_TEXT)
    } else {
        whole(File::open(OsStr::from_bytes(file))?, LARGEST_TEXT)
    }
}

/// All bytes of a text. One that is longer than `limit` is an error: what lies behind must not be left out silently.
fn whole(text: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    text.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(io::Error::from_raw_os_error(libc::EFBIG)),
        false => Ok(bytes),
    }
}

/// The lines `name=value` of a text; `name=` deletes. What has no `=` is no line of it, as there.
fn changes(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    fn change(line: &[u8]) -> Option<(&[u8], &[u8])> {
        let end = line.iter().rposition(|&byte| byte != b'\r')? + 1;
        let line = line.get(..end)?;
        let equals = memchr::memchr(b'=', line)?;
        Some((line.get(..equals)?, line.get(equals + 1..)?))
    }
    text.split(|&byte| byte == b'\n').filter(|line| !line.starts_with(b"#")).filter_map(change).collect()
}

unsafe fn read_config(ctx: *mut uboot_ctx, file: &[u8]) -> Result<(*mut uboot_ctx, c_int), c_int> {
    let config = Config::load(OsStr::from_bytes(file)).map_err(|error| match error {
        Error::Io { .. } => -libc::EBADF,
        _ => -libc::EINVAL,
    })?;
    let mut environments = config.environments.into_iter();
    let Some(first) = environments.next() else { return Err(-libc::EINVAL) };
    if let Some(context) = context(ctx) {
        return Ok((ctx, context.configure(first)));
    }
    let mut list: List = vec![Box::default()];
    let result = match list.first_mut() {
        // Of several environments one may be on a device that is not there; the others are of use.
        Some(only) if environments.len() == 0 => only.configure(first),
        Some(context) => {
            **context = uboot_ctx::with(first);
            0
        }
        None => -libc::EINVAL,
    };
    if result != 0 {
        return Err(result);
    }
    list.extend(environments.map(|environment| Box::new(uboot_ctx::with(environment))));
    let list = ptr::NonNull::from(Box::leak(Box::new(list)));
    for context in &mut *list.as_ptr() {
        context.list = Some(list);
    }
    let first = (*list.as_ptr()).first_mut().map_or(ptr::null_mut(), |context| ptr::from_mut(&mut **context));
    Ok((first, 0))
}

exports! { EXPORTS:
    fn libuboot_version_info() -> *const uboot_version_info {
        &VERSION_INFO
    }

    fn libuboot_initialize(out: *mut *mut uboot_ctx, envdevs: *mut uboot_env_device) -> c_int {
        let Some(out) = out.as_mut() else { return -libc::EINVAL };
        *out = ptr::null_mut();
        let mut context = Box::<uboot_ctx>::default();
        let result = if envdevs.is_null() { 0 } else { context.configure(configuration(envdevs)) };
        if result == 0 {
            *out = Box::into_raw(context);
        }
        result
    }

    fn libuboot_configure(ctx: *mut uboot_ctx, envdevs: *mut uboot_env_device) -> c_int {
        match context(ctx) {
            None => -libc::EINVAL,
            Some(_) if envdevs.is_null() => 0,
            Some(context) => context.configure(configuration(envdevs)),
        }
    }

    fn libuboot_read_config(ctx: *mut uboot_ctx, config: *const c_char) -> c_int {
        match optional_text(config) {
            Some(file) if !ctx.is_null() => read_config(ctx, file).map_or_else(|error| error, |(_, result)| result),
            _ => -libc::EINVAL,
        }
    }

    fn libuboot_read_config_ext(ctx: *mut *mut uboot_ctx, config: *const c_char) -> c_int {
        let (Some(ctx), Some(file)) = (ctx.as_mut(), optional_text(config)) else { return -libc::EINVAL };
        match read_config(*ctx, file) {
            Ok((found, result)) => {
                *ctx = found;
                result
            }
            Err(error) => error,
        }
    }

    fn libuboot_get_namespace(ctxlist: *mut uboot_ctx, name: *const c_char) -> *mut uboot_ctx {
        let (Some(context), Some(name)) = (context(ctxlist), optional_text(name)) else { return ptr::null_mut() };
        let Some(list) = context.list else { return ptr::null_mut() };
        let named = |context: &&mut Box<uboot_ctx>| {
            let namespace = context.config.as_ref().and_then(|config| config.namespace.as_deref());
            namespace.is_some_and(|namespace| namespace.as_bytes() == name)
        };
        (*list.as_ptr()).iter_mut().find(named).map_or(ptr::null_mut(), |context| ptr::from_mut(&mut **context))
    }

    fn libuboot_namespace_from_dt() -> *const c_char {
        namespace_from_device_tree().map_or(ptr::null_mut(), |name| malloc_copy(name.as_bytes()))
    }

    fn libuboot_open(ctx: *mut uboot_ctx) -> c_int {
        let Some(context) = context(ctx) else { return -libc::EINVAL };
        // Its lock first, or it would wait for itself.
        context.opened = None;
        let Some(config) = &context.config else { return -libc::EINVAL };
        let (opened, result) = Opened::new(config);
        context.opened = Some(opened);
        result
    }

    fn libuboot_close(ctx: *mut uboot_ctx) {
        if let Some(context) = context(ctx) {
            context.opened = None;
        }
    }

    fn libuboot_exit(ctx: *mut uboot_ctx) {
        match context(ctx).map(|context| context.list) {
            None => {}
            Some(Some(list)) => drop(Box::from_raw(list.as_ptr())),
            Some(None) => drop(Box::from_raw(ctx)),
        }
    }

    fn libuboot_get_env(ctx: *mut uboot_ctx, varname: *const c_char) -> *mut c_char {
        let (Some(opened), Some(name)) = (opened(ctx), optional_text(varname)) else { return ptr::null_mut() };
        opened.see(|variables| variables.get(name).map_or(ptr::null_mut(), malloc_copy))
    }

    fn libuboot_set_env(ctx: *mut uboot_ctx, varname: *const c_char, value: *const c_char) -> c_int {
        let Some(name) = optional_text(varname) else { return -libc::EINVAL };
        match opened_or_unusable(ctx) {
            Some(opened) => opened.set(&[(name, optional_text(value).unwrap_or_default())]),
            None => -libc::EINVAL,
        }
    }

    fn libuboot_load_file(ctx: *mut uboot_ctx, filename: *const c_char) -> c_int {
        let Some(file) = optional_text(filename) else { return -libc::EBADF };
        let Some(opened) = opened_or_unusable(ctx) else { return -libc::EINVAL };
        match read_text(file) {
            Ok(text) => opened.set(&changes(&text)),
            Err(error) if error.raw_os_error() == Some(libc::EFBIG) => -libc::EFBIG,
            Err(_) => -libc::EACCES,
        }
    }

    fn libuboot_env_store(ctx: *mut uboot_ctx) -> c_int {
        opened(ctx).map_or(-libc::EINVAL, Opened::store)
    }

    fn libuboot_iterator(ctx: *mut uboot_ctx, next: *mut c_void) -> *mut c_void {
        let entry = match next.cast::<Entry>().as_ref() {
            Some(entry) => entry.next,
            None => opened(ctx).map_or(ptr::null(), Opened::first),
        };
        entry.cast_mut().cast::<c_void>()
    }

    fn libuboot_getname(entry: *mut c_void) -> *const c_char {
        entry.cast::<Entry>().as_ref().map_or(ptr::null(), |entry| entry.name.as_ptr())
    }

    fn libuboot_getvalue(entry: *mut c_void) -> *const c_char {
        entry.cast::<Entry>().as_ref().map_or(ptr::null(), |entry| entry.value.as_ptr())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{catch_unwind, AssertUnwindSafe};

    #[test]
    fn a_text_that_is_too_long_is_an_error_and_not_cut() {
        assert_eq!(whole(&b"a=1\nb=2"[..], 7).unwrap(), b"a=1\nb=2");
        let error = whole(&b"a=1\nb=22"[..], 7).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EFBIG));
    }

    #[test]
    fn after_a_panic_no_store_reports_success() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        std::fs::write(&path, [0xff; 0x2000]).unwrap();
        let text = format!(
            "env:\n  size: 0x1000\n  lockfile: {}\n  devices:\n    - path: {1}\n    - path: {1}\n      offset: 0x1000\n",
            folder.path().join("lock").display(),
            path.display()
        );
        let config = Config::parse(Path::new("config"), text.as_bytes()).unwrap();
        let (mut opened, found) = Opened::new(&config.environments[0]);
        assert_eq!((found, opened.set(&[(b"a", b"1")]), opened.store()), (-libc::ENODATA, 0, 0));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            opened.change(|_| panic!("a test asked for this"));
        }));
        assert!(panicked.is_err());
        opened.set(&[(b"a", b"2")]);
        assert_eq!(opened.store(), -libc::ENOTRECOVERABLE);
        let (mut again, found) = Opened::new(&config.environments[0]);
        assert_eq!(
            (found, again.see(|variables| variables.get(b"a").map(<[u8]>::to_vec))),
            (0, Some(b"1".to_vec()))
        );
    }
}
