//! The border to C: declares and guards every exported function, keeps handles, takes and gives pointers.
//!
//! What a caller must fulfil is the page of rules in the header: a pointer is NULL or points to what its
//! type says, a string ends with a NUL, a handle came from this library and has not been freed. All
//! `unsafe` here rests on that; what can be checked (NULL, sizes, who uses a handle) is checked.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use super::code::bootslot_code;
use super::given::Given;
use crate::error::Error;
#[cfg(feature = "health")]
use crate::migrate::MigrateError;
#[cfg(feature = "update")]
use crate::update::UpdateError;

/// Declares exported functions, each guarded, and the list of their names. There is no other way to
/// export one: a test compares the list with what the linker sees.
macro_rules! exports {
    ($list:ident: $(
        $(#[$meta:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? { $($body:tt)* }
    )*) => {
        pub(super) const $list: &[&str] = &[$(stringify!($name)),*];
        $(
            $(#[$meta])*
            #[no_mangle]
            #[allow(clippy::missing_safety_doc, reason = "the page of rules in the header")]
            pub unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
                $crate::capi::boundary::guard(move || $(-> $result)? { $($body)* })
            }
        )*
    };
}

/// Set by a test: the next call of an exported function panics.
#[cfg(feature = "panic-hook")]
pub static PANIC_NEXT: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Where a test makes calls panic: inside of those with a handle, at the end of all others.
#[inline]
fn panic_if_asked() {
    #[cfg(feature = "panic-hook")]
    assert!(!PANIC_NEXT.swap(false, Ordering::SeqCst), "a test asked for this");
}

/// Runs the body of an exported function. A panic ends here: unwinding into C is undefined.
pub fn guard<R: Guarded>(body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(|| {
        let result = body();
        panic_if_asked();
        result
    }))
    .unwrap_or_else(|_| R::panicked())
}

/// What an exported function may return.
pub trait Guarded {
    /// What it returns instead of panicking.
    fn panicked() -> Self;
}

impl Guarded for () {
    fn panicked() {}
}

impl Guarded for bootslot_code {
    fn panicked() -> Self {
        bootslot_code::BOOTSLOT_ERROR_PANIC
    }
}

impl Guarded for u32 {
    fn panicked() -> Self {
        0
    }
}

/// libubootenv's functions return a negative errno.
impl Guarded for c_int {
    fn panicked() -> Self {
        -libc::ENOTRECOVERABLE
    }
}

impl<T> Guarded for *mut T {
    fn panicked() -> Self {
        ptr::null_mut()
    }
}

impl<T> Guarded for *const T {
    fn panicked() -> Self {
        ptr::null()
    }
}

/// Why a call fails: its code, and the text for the handle.
#[derive(Clone)]
pub struct Failure {
    code: bootslot_code,
    text: String,
}

impl Failure {
    pub fn new(code: bootslot_code, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into() }
    }

    /// This argument is NULL.
    pub fn null(argument: &str) -> Failure {
        Failure::new(bootslot_code::BOOTSLOT_ERROR_NULL, format!("{argument} is NULL"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { code: bootslot_code::from(&error), text: error.to_string() }
    }
}

#[cfg(feature = "update")]
impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Self {
        Failure { code: bootslot_code::from(&error), text: error.to_string() }
    }
}

#[cfg(feature = "health")]
impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Failure { code: bootslot_code::from(&error), text: error.to_string() }
    }
}

pub type Outcome<T = ()> = Result<T, Failure>;

const IDLE: u8 = 0;
const BUSY: u8 = 1;
const BROKEN: u8 = 2;

/// What a handle points to: the object, who uses it, what was lent to the caller, and the text of the last error.
pub struct Handle<T> {
    state: AtomicU8,
    given: UnsafeCell<Given>,
    /// Atomic, for a thread that asks while another one is in a call.
    error: AtomicPtr<c_char>,
    object: UnsafeCell<T>,
}

impl<T> Handle<T> {
    /// A new handle, freed by [`Handle::free`].
    pub fn new(object: T) -> *mut Self {
        Box::into_raw(Box::new(Handle {
            state: AtomicU8::new(IDLE),
            given: UnsafeCell::default(),
            error: AtomicPtr::new(c"".as_ptr().cast_mut()),
            object: UnsafeCell::new(object),
        }))
    }

    /// Frees a handle. One that another thread uses at this moment is left behind: a leak is the lesser
    /// evil.
    ///
    /// # Safety
    ///
    /// The rules of the header.
    pub unsafe fn free(this: *mut Self) {
        if !this.is_null() && (*this).state.swap(BUSY, Ordering::Acquire) != BUSY {
            drop(Box::from_raw(this));
        }
    }

    /// Does something with the object, which may lend strings, and keeps the error's text. A second thread is turned away, and so
    /// is every caller after a panic: what it left half-done is not used again.
    ///
    /// # Safety
    ///
    /// The rules of the header.
    pub unsafe fn call(
        this: *const Self,
        f: impl FnOnce(&mut T, &mut Given) -> Outcome<bootslot_code>,
    ) -> bootslot_code {
        if this.is_null() {
            return bootslot_code::BOOTSLOT_ERROR_NULL;
        }
        let handle = &*this;
        match handle.state.compare_exchange(IDLE, BUSY, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {}
            Err(BUSY) => return bootslot_code::BOOTSLOT_ERROR_BUSY,
            Err(_) => return bootslot_code::BOOTSLOT_ERROR_PANIC,
        }
        let mut leave = Leave { state: &handle.state, to: BROKEN };
        panic_if_asked();
        let given = &mut *handle.given.get();
        let outcome = f(&mut *handle.object.get(), given);
        leave.to = IDLE;
        let (code, text) = match outcome {
            Ok(code) => (code, String::new()),
            Err(failure) => (failure.code, failure.text),
        };
        let text = if text.is_empty() { c"".as_ptr() } else { given.lend(text.as_bytes()) };
        handle.error.store(text.cast_mut(), Ordering::Release);
        given.release();
        code
    }

    /// The text of the last error.
    ///
    /// # Safety
    ///
    /// The rules of the header.
    pub unsafe fn last_error(this: *const Self) -> *const c_char {
        if this.is_null() {
            return c"the handle is NULL".as_ptr();
        }
        match (*this).state.load(Ordering::Acquire) {
            IDLE => (*this).error.load(Ordering::Acquire),
            BUSY => c"another thread uses this handle".as_ptr(),
            _ => c"an earlier call failed inside the library; the handle can only be freed".as_ptr(),
        }
    }
}

/// Leaves the handle, also by a panic.
struct Leave<'a> {
    state: &'a AtomicU8,
    to: u8,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.state.store(self.to, Ordering::Release);
    }
}

/// A path as the system has it.
pub fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The bytes of a string that must be there.
///
/// # Safety
///
/// The rules of the header.
pub unsafe fn text<'a>(string: *const c_char, argument: &str) -> Outcome<&'a [u8]> {
    optional_text(string).ok_or_else(|| Failure::null(argument))
}

/// The bytes of a string; `None` for NULL.
///
/// # Safety
///
/// The rules of the header.
pub unsafe fn optional_text<'a>(string: *const c_char) -> Option<&'a [u8]> {
    (!string.is_null()).then(|| CStr::from_ptr(string).to_bytes())
}

/// The place of an output that must be there.
///
/// # Safety
///
/// The rules of the header.
pub unsafe fn output<'a, T>(place: *mut T, argument: &str) -> Outcome<&'a mut T> {
    place.as_mut().ok_or_else(|| Failure::null(argument))
}

/// A structure that starts with its size in bytes, so that it can grow: all of its members are such that
/// zero bytes are a value of theirs, and mean what a caller means who does not know the member.
///
/// # Safety
///
/// As said, and `repr(C)` with a `size_t` first.
pub unsafe trait Sized1: Copy {
    /// The size of its first version: where that one's last member ends, which fills it up.
    const FIRST: usize;
}

/// Where a member of a structure ends.
macro_rules! end_of {
    ($structure:ty, $member:ident: $type:ty) => {
        std::mem::offset_of!($structure, $member) + std::mem::size_of::<$type>()
    };
}

/// Reserved members are for later versions: one that is set asks for something that this one does not know.
pub fn unused(reserved: &[u8]) -> Outcome {
    if reserved.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    let text = "a reserved member is not zero: this version does not know what it asks for";
    Err(Failure::new(bootslot_code::BOOTSLOT_ERROR_UNSUPPORTED, text))
}

/// Reads a structure that may be an older or a newer one than ours.
///
/// # Safety
///
/// The rules of the header: at least `struct_size` bytes.
pub unsafe fn read_sized<T: Sized1>(place: *const T) -> Outcome<T> {
    let given = given_size(place)?;
    let ours = std::mem::size_of::<T>();
    let mut value = std::mem::zeroed::<T>();
    let bytes = place.cast::<u8>();
    ptr::copy_nonoverlapping(bytes, ptr::from_mut(&mut value).cast::<u8>(), given.min(ours));
    // A newer program: what it asks for beyond what we know must be nothing.
    if (ours..given).any(|at| *bytes.add(at) != 0) {
        return Err(Failure::new(
            bootslot_code::BOOTSLOT_ERROR_UNSUPPORTED,
            format!("a member behind the first {ours} bytes is set, which this version does not know"),
        ));
    }
    Ok(value)
}

/// Writes as much of `value` as the caller knows; its `struct_size` stays.
///
/// # Safety
///
/// As for [`read_sized`].
pub unsafe fn write_sized<T: Sized1>(place: *mut T, value: &T) -> Outcome {
    let given = given_size(place)?;
    let skip = std::mem::size_of::<usize>();
    let ours = std::mem::size_of::<T>();
    let (from, to) = (ptr::from_ref(value).cast::<u8>(), place.cast::<u8>());
    ptr::copy_nonoverlapping(from.add(skip), to.add(skip), given.min(ours) - skip);
    if given > ours {
        ptr::write_bytes(to.add(ours), 0, given - ours);
    }
    Ok(())
}

/// The `struct_size` of a structure that must be there.
///
/// # Safety
///
/// As for [`read_sized`].
pub unsafe fn given_size<T: Sized1>(place: *const T) -> Outcome<usize> {
    if place.is_null() {
        return Err(Failure::null("the structure"));
    }
    let given = *place.cast::<usize>();
    // More than a page is no version of a structure, but a number that was never set.
    if (T::FIRST..=4096).contains(&given) {
        return Ok(given);
    }
    Err(Failure::new(
        bootslot_code::BOOTSLOT_ERROR_ARGUMENT,
        format!("struct_size is {given}: set it to the sizeof of the structure, at least {}", T::FIRST),
    ))
}

/// A copy that C frees with `free`; NULL when there is no memory.
#[cfg(feature = "libubootenv")]
pub fn malloc_copy(bytes: &[u8]) -> *mut c_char {
    // SAFETY: malloc gives room for the bytes and the NUL, or NULL.
    unsafe {
        let copy = libc::malloc(bytes.len() + 1).cast::<u8>();
        if !copy.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            *copy.add(bytes.len()) = 0;
        }
        copy.cast::<c_char>()
    }
}
