//! Turns `proto/` into messages, services and the descriptor set that the JSON API reads.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

/// Every file that is compiled; what they import comes along.
const FILES: &[&str] = &[
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
    "ringback/phone/v1/phone_service.proto",
    "ringback/sms/v1/message_service.proto",
    "zitadel/message.proto",
    "zitadel/user/v2/user_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(FILES)?;

    // Encoded by protox itself: the decoded form of the descriptors has no room for the google.api.http option.
    let encoded = compiler.encode_file_descriptor_set();
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out_dir.join("descriptors.bin"), &encoded)?;

    tonic_prost_build::configure()
        // A client over any transport; `connect` would tie it to tonic's own.
        .build_transport(false)
        .codec_path("crate::proto::Codec")
        .compile_fds(tonic_prost_build::FileDescriptorSet::decode(
            encoded.as_slice(),
        )?)?;
    Ok(())
}
