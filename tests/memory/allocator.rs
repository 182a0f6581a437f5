//! The allocator of these tests: it counts what is held, and looks at what is given back. It does both for each thread by
//! itself, so that tests run side by side. What works in several threads is measured in a process of its own, in which
//! nothing else runs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

use super::kem_wiping::SECRETS;

struct Accounting;

// Constant and without destructors: reading them allocates nothing, and they outlive all else of their thread.
thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static FOUND: Cell<usize> = const { Cell::new(0) };
    static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
}

/// Of all threads.
static ALL_HELD: AtomicIsize = AtomicIsize::new(0);
static ALL_PEAK: AtomicIsize = AtomicIsize::new(0);

fn hold(change: isize) {
    let all = ALL_HELD.fetch_add(change, Ordering::Relaxed) + change;
    if change > 0 {
        ALL_PEAK.fetch_max(all, Ordering::Relaxed);
    }
    let held = HELD.get() + change;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

// SAFETY: passes everything on to the system's allocator; `realloc` is the default, which calls `dealloc` for the old
// block.
unsafe impl GlobalAlloc for Accounting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size().cast_signed());
        // Zeroed, so that what is found in a block was written to it since.
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        hold(-layout.size().cast_signed());
        if WATCHING.get() {
            LOOKED_AT.set(LOOKED_AT.get() + 1);
            // Limbs are aligned to words.
            for at in (0..(layout.size() + 1).saturating_sub(16)).step_by(8) {
                // SAFETY: within the block, which was zeroed when it was given out.
                let words = unsafe { block.add(at).cast::<[u8; 16]>().read_unaligned() };
                for (i, (_, secret)) in SECRETS.iter().enumerate() {
                    if words == secret.to_be_bytes() {
                        FOUND.set(FOUND.get() | 1 << i);
                    }
                }
            }
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Accounting = Accounting;

/// The most bytes that this thread held at once beyond those before.
pub(crate) fn peak(f: impl FnOnce()) -> usize {
    let before = HELD.get();
    PEAK.set(before);
    f();
    (PEAK.get() - before).cast_unsigned()
}

/// The most bytes that the process held at once beyond those before.
#[cfg(feature = "redb")]
pub(crate) fn peak_of_all<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = ALL_HELD.load(Ordering::SeqCst);
    ALL_PEAK.store(before, Ordering::SeqCst);
    let out = f();
    (out, (ALL_PEAK.load(Ordering::SeqCst) - before).cast_unsigned())
}

/// The secrets that this thread gave back unwiped.
pub(crate) fn watched<T>(f: impl FnOnce() -> T) -> (T, Vec<&'static str>) {
    FOUND.set(0);
    WATCHING.set(true);
    let out = f();
    WATCHING.set(false);
    let found = FOUND.get();
    let names = SECRETS.iter().enumerate().filter(|(i, _)| found >> i & 1 == 1).map(|(_, (name, _))| *name);
    (out, names.collect())
}

/// How many blocks were looked at.
pub(crate) fn looked_at() -> usize {
    LOOKED_AT.get()
}
