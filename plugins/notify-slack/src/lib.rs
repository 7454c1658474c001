//! The Slack notifier.
