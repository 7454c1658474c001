//! How deep a walk over a value is: a map may hold itself, so that printing it would not end.

use std::cell::Cell;

/// Deepest nesting that is printed.
pub(crate) const MAX_DEPTH: usize = 1_000;

/// Most lists and maps that are printed as one value.
const MAX_NODES: usize = 4_000_000;

/// Longest text that printing one value makes, in bytes: a map may hold itself twice.
pub(crate) const MAX_BYTES: usize = 32 << 20;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static NODES: Cell<usize> = const { Cell::new(0) };
    static WAS_CUT: Cell<bool> = const { Cell::new(false) };
}

/// One level of a walk; it ends when this is dropped.
pub(crate) struct Level(());

impl Level {
    /// Tells how many levels there are.
    pub(crate) fn count() -> usize {
        DEPTH.get()
    }

    /// Goes one level deeper; `None` where the walk has to turn back.
    pub(crate) fn enter(written: usize) -> Option<Self> {
        let depth = DEPTH.get();
        let nodes = if depth == 0 { 0 } else { NODES.get() + 1 };
        NODES.set(nodes);
        if depth >= MAX_DEPTH || nodes > MAX_NODES || written > MAX_BYTES {
            WAS_CUT.set(true);
            return None;
        }
        DEPTH.set(depth + 1);
        Some(Self(()))
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Tells whether a walk had to turn back since this was last asked.
pub(crate) fn was_cut() -> bool {
    WAS_CUT.replace(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_turns_back_at_the_limit() {
        let levels: Vec<_> = (0..MAX_DEPTH).map(|_| Level::enter(0)).collect();
        assert!(levels.iter().all(Option::is_some));
        assert!(!was_cut());
        assert!(Level::enter(0).is_none());
        assert!(was_cut());
        drop(levels);
        assert!(Level::enter(0).is_some());
        assert!(Level::enter(MAX_BYTES + 1).is_none());
        assert!(was_cut());
    }
}
