//! Runs requests against a server and writes down what it says, without what differs between any two
//! servers: ids of cluster and member, terms, and lease ids that the server drew.

use super::clients::Clients;
use std::fmt::{Debug, Write};
use std::future::Future;
use synod_coordination::proto::etcdserverpb as pb;
use tonic::{Response, Status};

/// What was asked and answered, line by line.
pub struct Transcript {
    pub clients: Clients,
    text: String,
}

impl Transcript {
    pub fn new(clients: Clients) -> Self {
        Self { clients, text: String::new() }
    }

    /// A heading.
    pub fn part(&mut self, name: &str) {
        writeln!(self.text, "\n# {name}").unwrap();
    }

    /// One line of the caller's own.
    pub fn say(&mut self, what: &str, answer: impl Debug) {
        writeln!(self.text, "{what}\n    {answer:?}").unwrap();
    }

    /// Awaits an answer and writes it down.
    pub async fn ask<T: Normalise>(
        &mut self,
        what: &str,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) {
        match answer.await {
            Ok(response) => {
                let mut message = response.into_inner();
                message.normalise();
                self.say(what, message);
            }
            Err(status) => self.say(what, (status.code(), status.message())),
        }
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// Takes out what differs between any two servers.
pub trait Normalise: Debug {
    fn normalise(&mut self);
}

/// What is set becomes 1; what is not stays 0.
fn header(header: &mut Option<pb::ResponseHeader>) {
    if let Some(header) = header {
        header.cluster_id = header.cluster_id.min(1);
        header.member_id = header.member_id.min(1);
        header.raft_term = header.raft_term.min(1);
    }
}

macro_rules! normalise_header {
    ($($message:ident),*) => {
        $(impl Normalise for pb::$message {
            fn normalise(&mut self) {
                header(&mut self.header);
            }
        })*
    };
}

normalise_header!(
    RangeResponse,
    PutResponse,
    DeleteRangeResponse,
    TxnResponse,
    CompactionResponse,
    WatchResponse,
    LeaseGrantResponse,
    LeaseRevokeResponse,
    LeaseKeepAliveResponse,
    LeaseLeasesResponse,
    DefragmentResponse
);

impl Normalise for pb::LeaseTimeToLiveResponse {
    fn normalise(&mut self) {
        header(&mut self.header);
        // etcd lists them in no order.
        self.keys.sort();
        // A second may have passed.
        self.ttl = self.ttl.min(self.granted_ttl - 1).max(-1);
    }
}

impl Normalise for pb::MemberListResponse {
    fn normalise(&mut self) {
        header(&mut self.header);
        self.members.clear();
    }
}
