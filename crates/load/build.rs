//! Turns the service's own `proto/` into messages, and the echo's into a service.

use std::error::Error;

use prost::Message;
use tonic_prost_build::{Builder, FileDescriptorSet, configure};

/// Where the contract that is measured lies, seen from here.
const CONTRACT: &str = "../../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={CONTRACT}");
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");
    compile(
        configure().build_client(false).build_server(false),
        CONTRACT,
        &[
            "ringback/phone/v1/phone_service.proto",
            "zitadel/user/v2/user_service.proto",
        ],
    )?;
    compile(
        configure().build_client(false),
        "proto",
        &["ringback/load/v1/echo.proto"],
    )
}

fn compile(builder: Builder, include: &str, files: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut compiler = protox::Compiler::new([include])?;
    compiler.include_imports(true).open_files(files)?;
    let encoded = compiler.encode_file_descriptor_set();
    builder.compile_fds(FileDescriptorSet::decode(encoded.as_slice())?)?;
    Ok(())
}
