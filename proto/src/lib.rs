//! The gRPC protocol between vipctl, server and agents: generated types, and their conversions
//! to and from the domain. The domain types are what everything else works with; these exist on
//! the wire only.

/// Generated from `vipfleet/v1/*.proto`.
#[allow(missing_debug_implementations, clippy::all, unreachable_pub)]
pub mod v1 {
    tonic::include_proto!("vipfleet.v1");
}

mod assignment;
mod check;
mod definition;
mod field;
mod finding;
mod instance;
mod malformed;
mod report;
mod status;

pub use malformed::Malformed;

/// Encoded descriptor set, for the reflection service.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// What a session's two ends must agree on; raised when a message changes its meaning.
pub const PROTOCOL_VERSION: u32 = 1;
