//! The allocator of the default renderers. A guest lives for one call on one thread, and nearly all
//! that it allocates is small: nodes, values, short texts. Those come from lists of free blocks of
//! one size each, a few instructions a call; the rest goes to the allocator of the standard library.
//!
//! Blocks never change their size: what was freed is only used again for the same size, so that the
//! memory of a guest is at most the sum of what each size needed at its own peak.
#![allow(
    unsafe_code,
    reason = "an allocator hands out raw memory: there is no safe way to be one"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// Sizes are multiples of this, and blocks aligned to it.
const STEP: usize = 8;

/// Largest block that comes from a list.
const LARGEST: usize = 1024;

/// What is asked of the standard library at a time, to cut blocks from. It adds a header of its own.
const CHUNK: usize = 64 * 1024 - 64;

/// The allocator; see the crate.
pub struct GuestAllocator(UnsafeCell<State>);

struct State {
    /// The first free block of each size, which holds the address of the next.
    free: [*mut u8; LARGEST / STEP],
    /// What is left of the last chunk.
    next: *mut u8,
    left: usize,
}

#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
// SAFETY: there is one thread.
unsafe impl Sync for GuestAllocator {}

impl Default for GuestAllocator {
    fn default() -> Self {
        Self::new()
    }
}

impl GuestAllocator {
    /// Makes an allocator that has nothing yet.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(State {
            free: [null_mut(); LARGEST / STEP],
            next: null_mut(),
            left: 0,
        }))
    }
}

/// Returns the list that blocks for `layout` come from; `None` for what is large.
#[inline]
fn class(layout: Layout) -> Option<usize> {
    let size = layout.size();
    let is_small = size <= LARGEST && size > 0 && layout.align() <= STEP;
    is_small.then(|| (size - 1) / STEP)
}

impl State {
    /// Cuts a block off the chunk, or off a new one.
    #[inline]
    fn cut(&mut self, size: usize) -> *mut u8 {
        if self.left < size && !self.refill() {
            return null_mut();
        }
        let block = self.next;
        self.left -= size;
        // SAFETY: `size` bytes of the chunk were left.
        self.next = unsafe { block.add(size) };
        block
    }

    /// Gets a new chunk; the end of the last one stays unused.
    #[cold]
    fn refill(&mut self) -> bool {
        // SAFETY: the layout is not empty.
        let chunk = unsafe { System.alloc(Layout::new::<[u64; CHUNK / STEP]>()) };
        if chunk.is_null() {
            return false;
        }
        (self.next, self.left) = (chunk, CHUNK);
        true
    }
}

// SAFETY: a block is in use or in one list, never both; blocks do not overlap, and are as large and
// as aligned as their class says. The class follows from the layout alone, which is the same when a
// block is freed as when it was made.
unsafe impl GlobalAlloc for GuestAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class(layout) else {
            // SAFETY: the caller's promises are those that are asked for.
            return unsafe { System.alloc(layout) };
        };
        // SAFETY: there is one thread, and nothing called below comes back here.
        let state = unsafe { &mut *self.0.get() };
        let block = state.free[class];
        if block.is_null() {
            return state.cut((class + 1) * STEP);
        }
        // SAFETY: a free block holds the address of the next one.
        state.free[class] = unsafe { block.cast::<*mut u8>().read() };
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class(layout) else {
            // SAFETY: as in `alloc`, which gave it from there.
            return unsafe { System.dealloc(block, layout) };
        };
        // SAFETY: as in `alloc`; a block has room for an address, and nobody uses it any more.
        unsafe {
            let state = &mut *self.0.get();
            block.cast::<*mut u8>().write(state.free[class]);
            state.free[class] = block;
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size fits the alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class(layout), class(new)) {
            // SAFETY: both are of the standard library.
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (Some(old), Some(new)) if old == new => block,
            // SAFETY: the new block is another one, and as much is copied as both have.
            _ => unsafe {
                let moved = self.alloc(new);
                if !moved.is_null() {
                    block.copy_to_nonoverlapping(moved, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_apart_aligned_and_used_again() {
        let allocator = GuestAllocator::new();
        let mut blocks: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let mut random = 1_u64;
        for round in 0..100_000_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(round);
            let pick = (random >> 33) as usize;
            if blocks.len() > 500 || (pick.is_multiple_of(3) && !blocks.is_empty()) {
                let (block, layout, mark) = blocks.swap_remove(pick % blocks.len());
                let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
                assert!(bytes.iter().all(|byte| *byte == mark));
                unsafe { allocator.dealloc(block, layout) };
                continue;
            }
            let layout = layout(1 + pick % 2000, 1 << (pick % 6));
            let block = unsafe { allocator.alloc(layout) };
            assert!(block.addr().is_multiple_of(layout.align()));
            let mark = round as u8;
            unsafe { block.write_bytes(mark, layout.size()) };
            blocks.push((block, layout, mark));
        }
        for (block, layout, _) in blocks {
            unsafe { allocator.dealloc(block, layout) };
        }
    }

    #[test]
    fn a_block_that_grows_keeps_its_bytes() {
        let allocator = GuestAllocator::new();
        let mut size = 1;
        let mut block = unsafe { allocator.alloc(layout(size, 1)) };
        unsafe { block.write(7) };
        for next in [8, 9, 700, 1024, 1025, 50_000, 1024, 3] {
            block = unsafe { allocator.realloc(block, layout(size, 1), next) };
            size = next;
            assert_eq!(unsafe { block.read() }, 7);
        }
        unsafe { allocator.dealloc(block, layout(size, 1)) };
    }

    #[test]
    fn the_same_block_comes_back() {
        let allocator = GuestAllocator::new();
        let first = unsafe { allocator.alloc(layout(24, 8)) };
        unsafe { allocator.dealloc(first, layout(24, 8)) };
        assert_eq!(unsafe { allocator.alloc(layout(20, 4)) }, first);
    }
}
