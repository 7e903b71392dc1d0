//! The wire types that `build.rs` generates from `proto/`, and their descriptors.

pub mod rules;

use std::marker::PhantomData;
use std::sync::LazyLock;

use prost::Message;
use prost_reflect::DescriptorPool;
use tonic::codec::BufferSettings;
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Every compiled file with its imports and comments, as a serialised `google.protobuf.FileDescriptorSet`.
pub const COMMENTED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/commented.bin"));
/// The same without comments.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(DESCRIPTORS).expect("build.rs wrote a valid descriptor set")
});

/// The descriptors of every message and service, options included, comments not.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

/// Bytes that are set aside for a message before its size is known. Nearly all are smaller, and a longer one
/// finds room. tonic's own 8 KiB, twice for each call, cost more than reading and writing what is in them.
const ROOM: usize = 512;
/// Bytes after which a stream lets others have a turn. None of ours streams; this is tonic's own value.
const TURN: usize = 32 * 1024;

/// Protobuf with less room set aside.
#[derive(Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Codec<T, U> {
        Codec(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(ROOM, TURN))
    }

    fn decoder(&mut self) -> ProstDecoder<U> {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(ROOM, TURN))
    }
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
        pub mod admin {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/ringback.admin.v1.rs"));
            }
        }
        pub mod audit {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/ringback.audit.v1.rs"));
            }
        }
        pub mod phone {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/ringback.phone.v1.rs"));
            }
        }
        pub mod verification {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/ringback.verification.v1.rs"));
            }
        }
        pub mod guard {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/ringback.guard.v1.rs"));
            }
        }
        pub mod sms {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/ringback.sms.v1.rs"));
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
