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
mod hmac;
mod instance;
mod malformed;
mod moves;
mod report;
mod routing;
mod status;

pub use malformed::Malformed;

/// Encoded descriptor set, for the reflection service.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// What a session's two ends must agree on; raised when a message changes its meaning.
pub const PROTOCOL_VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::{FileDescriptorSet, ServiceDescriptorProto};

    #[test]
    fn the_descriptors_decode_and_hold_every_service_and_what_it_imports() {
        let set = FileDescriptorSet::decode(super::DESCRIPTORS).unwrap();
        let files: Vec<&str> = set.file.iter().map(|file| file.name()).collect();
        for file in &set.file {
            for import in &file.dependency {
                assert!(files.contains(&import.as_str()), "{import} is not in {files:?}");
            }
        }
        let services = set.file.iter().flat_map(|file| &file.service);
        let mut names: Vec<&str> = services.map(ServiceDescriptorProto::name).collect();
        names.sort_unstable();
        assert_eq!(names, ["Control", "Local", "Session"]);
    }
}
