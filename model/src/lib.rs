//! The domain of vipfleet: what an operator declares ([`definition`]), what one node must run
//! ([`assignment`]), what one node observed ([`report`]), and the pure functions between them:
//! [`document`] reads, [`validate`] judges, [`placement`] derives, [`ownership`] sums up.
//!
//! Three nouns, never one shared type. Pure: no file, no socket, no clock, no async.

pub mod address;
pub mod assignment;
pub mod check;
pub mod definition;
pub mod document;
pub mod finding;
pub mod hmac;
pub mod instance;
pub mod keepalived;
pub mod moves;
pub mod name;
pub mod node;
pub mod ownership;
pub mod placement;
pub mod redaction;
pub mod report;
pub mod routing;
pub mod secret;
pub mod span;
pub mod sync_group;
pub mod validate;

pub use address::VirtualAddress;
pub use assignment::Assignment;
pub use check::Check;
pub use definition::{Definition, Definitions, Key, Kind};
pub use document::Placed;
pub use finding::{Finding, Findings, Place, Severity};
pub use instance::Instance;
pub use name::Name;
pub use node::{InterfaceFacts, NodeFacts};
pub use report::NodeReport;
pub use routing::{VirtualRoute, VirtualRule};
pub use sync_group::SyncGroup;
