//! Compiles `vipfleet/v1/*.proto` without a system protoc; the same descriptors feed reflection.

use prost::Message as _;
use std::path::PathBuf;
use std::{env, fs};

const FILES: [&str; 8] = [
    "vipfleet/v1/assignment.proto",
    "vipfleet/v1/control.proto",
    "vipfleet/v1/definition.proto",
    "vipfleet/v1/finding.proto",
    "vipfleet/v1/local.proto",
    "vipfleet/v1/report.proto",
    "vipfleet/v1/session.proto",
    "vipfleet/v1/status.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=vipfleet");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        // Clients are made from a channel; Session's own `connect` would clash with tonic's.
        .build_transport(false)
        // Equal messages have equal bytes.
        .btree_map(".vipfleet.v1")
        // Their Debug, which every message that holds them uses, must not show secrets.
        .skip_debug([".vipfleet.v1.PassAuthentication", ".vipfleet.v1.HmacKey"])
        .compile_fds(descriptors)?;
    Ok(())
}
