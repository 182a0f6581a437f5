//! What a computation leaves on the stack: it runs in a thread whose stack is this module's own memory, which is looked
//! through when the thread is over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{mem, ptr};

/// The stack as a computation left it.
pub(crate) struct Left {
    bytes: Vec<u8>,
    /// How far below its caller's frame the computation wrote.
    pub(crate) depth: usize,
}

impl Left {
    pub(crate) fn has(&self, what: &[u8; 16]) -> bool {
        // Limbs are aligned to words.
        self.bytes.windows(16).step_by(8).any(|at| at == what)
    }
}

/// Runs it, and gives back its stack.
pub(crate) fn left_by<F: FnOnce() + Send>(work: F) -> Left {
    let mut call = Call { work: Some(work), frame: 0, panicked: true };
    // SAFETY: the memory is mapped for this thread alone, and given back when the thread has ended; `call` outlives it.
    let (bytes, bottom) = unsafe {
        let stack = libc::mmap(
            ptr::null_mut(),
            SIZE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
            -1,
            0,
        );
        assert_ne!(stack, libc::MAP_FAILED);
        ptr::write_bytes(stack.cast::<u8>(), PAINT, SIZE);
        let mut attributes: libc::pthread_attr_t = mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        assert_eq!(libc::pthread_attr_setstack(&mut attributes, stack, SIZE), 0);
        let mut thread = mem::zeroed();
        let argument = (&raw mut call).cast();
        assert_eq!(libc::pthread_create(&mut thread, &attributes, run::<F>, argument), 0);
        assert_eq!(libc::pthread_join(thread, ptr::null_mut()), 0);
        assert_eq!(libc::pthread_attr_destroy(&mut attributes), 0);
        let bytes = std::slice::from_raw_parts(stack.cast::<u8>(), SIZE).to_vec();
        assert_eq!(libc::munmap(stack, SIZE), 0);
        (bytes, stack as usize)
    };
    assert!(!call.panicked);
    let deepest = bytes.iter().position(|byte| *byte != PAINT).unwrap();
    assert!(deepest > 4096, "the stack is too small");
    Left { depth: call.frame - bottom - deepest, bytes }
}

struct Call<F> {
    work: Option<F>,
    /// Where the frame lies that calls.
    frame: usize,
    panicked: bool,
}

extern "C" fn run<F: FnOnce()>(call: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: `left_by` gave it, and waits.
    let call = unsafe { &mut *call.cast::<Call<F>>() };
    let here = 0_u8;
    call.frame = (&raw const here) as usize;
    call.panicked = call.work.take().is_none_or(|work| catch_unwind(AssertUnwindSafe(work)).is_err());
    ptr::null_mut()
}

/// Bytes of such a stack.
const SIZE: usize = 4 << 20;
/// What is written all over it before.
const PAINT: u8 = 0xa5;
