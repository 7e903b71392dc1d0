//! The wire types that `build.rs` generates from `proto/`, and their descriptors.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

/// Every compiled file with its imports and comments, as a serialised `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(DESCRIPTOR_SET).expect("build.rs wrote a valid descriptor set")
});

/// The descriptors of every message and service, options included.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

pub use generated::{google, ringback, zitadel};

#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes,
    reason = "generated; which lints it trips differs from version to version, so expect would not hold"
)]
mod generated {
    pub mod google {
        pub mod api {
            include!(concat!(env!("OUT_DIR"), "/google.api.rs"));
        }
        pub mod rpc {
            include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
        }
    }

    pub mod ringback {
        pub mod phone {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/ringback.phone.v1.rs"));
            }
        }
    }

    pub mod zitadel {
        pub mod object {
            pub mod v2 {
                include!(concat!(env!("OUT_DIR"), "/zitadel.object.v2.rs"));
            }
        }
        pub mod user {
            pub mod v2 {
                include!(concat!(env!("OUT_DIR"), "/zitadel.user.v2.rs"));
            }
        }
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/zitadel.v1.rs"));
        }
    }
}
