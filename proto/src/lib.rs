//! The wire types. Nothing here decides anything: messages are generated, `convert` turns them into the domain and back.

pub mod v1 {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
    include!(concat!(env!("OUT_DIR"), "/berth.v1.rs"));
}

pub mod agent {
    pub mod v1 {
        #![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
        include!(concat!(env!("OUT_DIR"), "/berth.agent.v1.rs"));
    }
}

/// Every RPC's full path, generated from the descriptors.
pub mod method {
    include!(concat!(env!("OUT_DIR"), "/methods.rs"));
}

pub mod convert;

/// The encoded `FileDescriptorSet`, for gRPC server reflection and for tests that walk every RPC.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
