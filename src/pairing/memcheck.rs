//! Requests to memcheck, for the tests that look for branches on secrets. Outside of valgrind they do nothing: to the
//! processor the instructions turn a register round by 128 bits.
//!
//! Valgrind manual, section 3.1 ("The Client Request mechanism") and 4.7 (memcheck's requests); numbers from
//! `valgrind.h` and `memcheck.h`, which are made to be copied.

/// Whether the process runs under valgrind.
pub(crate) fn is_running() -> bool {
    request(0x1001, [0; 2]) != 0
}

/// How many errors memcheck has found in this process, without those that it is told to suppress.
pub(crate) fn errors() -> usize {
    request(0x1201, [0; 2])
}

/// Takes the value for undefined: memcheck reports every branch and every address that depends on it.
pub(crate) fn secret<T: ?Sized>(value: &T) {
    request(MEMCHECK + 1, [(&raw const *value).cast::<u8>() as usize, size_of_val(value)]);
}

/// The value, taken for defined whatever it was made from.
pub(crate) fn public(value: bool) -> bool {
    let mut value = value;
    request(MEMCHECK + 2, [(&raw mut value) as usize, 1]);
    // SAFETY: it is alive and was written. Read from memory, where it is defined, and not from a register.
    unsafe { (&raw const value).read_volatile() }
}

/// `'M', 'C'` in the upper half, as memcheck's requests begin.
const MEMCHECK: usize = 0x4d43_0000;

#[cfg(target_arch = "x86_64")]
fn request(code: usize, [at, size]: [usize; 2]) -> usize {
    let request = [code, at, size, 0, 0, 0];
    let mut answer = 0;
    // SAFETY: the instructions leave every register as it was but `rdx`, where valgrind puts its answer. That memory
    // is marked changes none of it.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(),
            inout("rdx") answer,
        );
    }
    answer
}

#[cfg(not(target_arch = "x86_64"))]
fn request(_: usize, _: [usize; 2]) -> usize {
    0
}
