//! The etcd v3 messages, clients and servers, generated from the definitions in `proto/`.
//!
//! Bytes fields are [`bytes::Bytes`]: a value travels from the socket to the log without a copy.

/// Stored keys and their changes.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)]
pub mod mvccpb {
    tonic::include_proto!("mvccpb");
}

/// The services and what they are asked and answer.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)]
pub mod etcdserverpb {
    tonic::include_proto!("etcdserverpb");
}
