//! The Discord notifier.
