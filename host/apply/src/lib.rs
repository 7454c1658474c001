//! Turns rendered objects and an inventory into a plan and carries it out.
//!
//! In: texts that a renderer returned, the inventory of the last apply. Out: changes in a cluster or
//! a directory, and the new inventory. The way: [`parse`] -> [`normalize`] and [`metadata`] ->
//! [`mod@plan`] -> [`target`]. Only this crate writes managed objects; nothing outside the inventory is
//! ever deleted.
//!
//! Helm releases have a way of their own, with Helm's records: [`release`].

pub mod drift;
pub mod health;
pub mod inventory;
mod merge;
pub mod metadata;
pub mod normalize;
pub mod object;
pub mod order;
pub mod parse;
pub mod plan;
pub mod release;
pub mod target;

pub use bulkhead_api::yaml;
pub use inventory::Inventory;
pub use metadata::{CommonMetadata, Owner};
pub use object::{Object, Origin};
pub use plan::{Plan, Settings, plan};
pub use target::{Action, Applied, ApplyError, Change};
