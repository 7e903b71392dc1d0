//! Turns `proto/` into messages, services and the descriptor set that the JSON API reads, and puts the files for
//! browsers into the program.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

use prost::Message;

/// Every file that is compiled; what they import comes along.
const FILES: &[&str] = &[
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
    "ringback/admin/v1/admin_service.proto",
    "ringback/audit/v1/audit_service.proto",
    "ringback/guard/v1/guard_service.proto",
    "ringback/phone/v1/phone_service.proto",
    "ringback/sms/v1/message_service.proto",
    "ringback/verification/v1/verification_service.proto",
    "zitadel/message.proto",
    "zitadel/user/v2/user_service.proto",
];

/// Whose files browsers get.
const FOLDERS: [&str; 2] = ["console", "widget"];

/// What they get of them.
const KINDS: [&str; 4] = ["css", "html", "js", "svg"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS")? == "linux" && env::var("CARGO_CFG_TARGET_ENV")? == "gnu" {
        // Relocations take a hundredth of their size, which every process has in memory. Linkers that do not know it say so.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    compile_protos(&out_dir)?;
    fs::write(out_dir.join("files.rs"), files()?)?;
    Ok(())
}

fn compile_protos(out_dir: &Path) -> Result<(), Box<dyn Error>> {
    // Comments are longer than the rest, which every process has in memory.
    fs::write(out_dir.join("descriptors.bin"), descriptors(false)?)?;
    let commented = descriptors(true)?;
    fs::write(out_dir.join("commented.bin"), &commented)?;

    tonic_prost_build::configure()
        // A client over any transport; `connect` would tie it to tonic's own.
        .build_transport(false)
        .codec_path("crate::proto::Codec")
        .compile_fds(tonic_prost_build::FileDescriptorSet::decode(
            commented.as_slice(),
        )?)?;
    Ok(())
}

/// All files with their imports, and with their comments or without.
fn descriptors(comments: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(comments);
    compiler.open_files(FILES)?;
    // Encoded by protox itself: the decoded form of the descriptors has no room for the google.api.http option.
    Ok(compiler.encode_file_descriptor_set())
}

/// The files for browsers, as `src/http/files.rs` includes them: sorted by path, and one hash over all.
fn files() -> Result<String, Box<dyn Error>> {
    let top = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets it")?);
    let mut found = Vec::new();
    for folder in FOLDERS {
        // Of a folder that is missing cargo would say that it changed, each time.
        if top.join(folder).exists() {
            println!("cargo:rerun-if-changed={folder}");
            collect(&top, folder, &mut found)?;
        }
    }
    found.sort();
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    let mut list = String::new();
    for path in &found {
        let whole = top.join(path);
        hash.add(path.as_bytes());
        hash.add(&fs::read(&whole)?);
        writeln!(
            list,
            "    File {{ path: {path:?}, bytes: include_bytes!({whole:?}), packed: OnceLock::new() }},"
        )?;
    }
    let count = found.len();
    Ok(format!(
        "/// Stands for what is in all files.\nconst HASH: &str = \"{:016x}\";\n\
         static FILES: [File; {count}] = [\n{list}];\n",
        hash.0
    ))
}

/// Adds the files below a folder. Examples are for readers of the repository.
fn collect(top: &Path, folder: &str, found: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(top.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().ok_or("a file's name is no text")?;
        let path = format!("{folder}/{name}");
        let kind = name.rsplit_once('.').map(|(_, kind)| kind);
        if entry.file_type()?.is_dir() {
            if !["examples", "node_modules"].contains(&name) {
                collect(top, &path, found)?;
            }
        } else if kind.is_some_and(|kind| KINDS.contains(&kind)) {
            found.push(path);
        }
    }
    Ok(())
}

/// FNV-1a: tells one build from another, and is no secret.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
