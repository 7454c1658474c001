//! Matches events with alerts, runs notifiers and sends what they return.
