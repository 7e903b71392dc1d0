//! The messages that `build.rs` generates.

pub(crate) use generated::{ringback, zitadel};

#[allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes,
    reason = "generated; which lints it trips differs from version to version, so expect would not hold"
)]
mod generated {
    pub mod ringback {
        pub mod load {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/ringback.load.v1.rs"));
            }
        }
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
    }
}
