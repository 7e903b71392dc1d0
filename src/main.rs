//! The program.

use std::process::ExitCode;

/// A quarter of the time of a request went into the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ringback::cli::main()
}
