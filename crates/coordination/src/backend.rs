//! What the face needs of a replicated key space. The node implements it; so does [`crate::memory`].
//!
//! Whoever implements it decides how a proposal is replicated and a read confirmed; the face decides
//! what is asked and how the answer is worded.

use std::future::Future;
use synod_mvcc::{Applied, Command, LeaseId, Reader};
use tokio::sync::watch;

/// A replicated key space, as one member sees it.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Replicates and applies a command. There is exactly one outcome, and the command is never
    /// proposed a second time: see [`Failure`] for what is known when it fails. The future owns its
    /// proposal: dropping it abandons the answer, never the proposal.
    fn propose(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Applied, Failure>> + Send + 'static;

    /// Waits until [`Backend::reader`] reflects everything that was acknowledged, by any member,
    /// before this call.
    fn linearize(&self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The local state as of now. It may lag behind the cluster, never ahead of it.
    fn reader(&self) -> Reader;

    /// Changes whenever [`Backend::reader`] has moved; the value is the revision. The reader is at
    /// least at the revision that the channel holds.
    fn revision_changed(&self) -> watch::Receiver<u64>;

    /// Renews a lease: its full time to live, in seconds, from now; `None` if it does not exist.
    fn renew(
        &self,
        lease: LeaseId,
    ) -> impl Future<Output = Result<Option<i64>, Failure>> + Send + 'static;

    /// How long a lease still has; `None` if it does not exist.
    fn time_to_live(
        &self,
        lease: LeaseId,
    ) -> impl Future<Output = Result<Option<Remaining>, Failure>> + Send;

    /// The members of the cluster, as this member knows them.
    fn members(&self) -> Vec<Member>;

    /// Who answers. It never changes while the process runs.
    fn identity(&self) -> Identity;

    /// Who leads, as this member believes. Asked for every answer: it must be cheap.
    fn leadership(&self) -> Leadership;

    /// How this member is.
    fn status(&self) -> Status;
}

/// What a lease has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remaining {
    /// Whole seconds left, rounded down.
    pub ttl_seconds: i64,
    /// What each renewal grants, in seconds.
    pub granted_seconds: i64,
}

/// A member of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its store's identity.
    pub id: u64,
    /// What people call it; empty until it was first started.
    pub name: String,
    /// Where the other members reach it.
    pub peer_urls: Vec<String>,
    /// Where clients reach it; empty until it was first started.
    pub client_urls: Vec<String>,
    /// Whether it follows without a vote.
    pub learner: bool,
}

/// Which member of which cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The cluster; never 0.
    pub cluster_id: u64,
    /// The member; never 0.
    pub member_id: u64,
}

/// Who leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leadership {
    /// The leader's member id, if one is known.
    pub leader: Option<u64>,
    /// The term, or the ballot's round.
    pub term: u64,
}

/// How a member is. Sizes are in bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// The last committed log position it knows of.
    pub committed_index: u64,
    /// The last applied one.
    pub applied_index: u64,
    /// What its data takes on disk.
    pub database_bytes: u64,
    /// Of that, what holds live data.
    pub database_used_bytes: u64,
    /// Whether it follows without a vote.
    pub learner: bool,
    /// `raft` or `multi-paxos`.
    pub protocol: &'static str,
    /// What is wrong with it, in words.
    pub errors: Vec<String>,
}

/// Why something was not answered. The three kinds differ in what is known of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Certain: it was not done and never will be.
    Refused(Refused),
    /// It may have been done, or may still be.
    Unknown(Unknown),
    /// This member cannot go on; the text is for its operator. A write may have been done.
    Fatal(String),
}

/// Why something was certainly not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// No leader is known.
    NoLeader,
    /// The leader stepped down before it took the request.
    LeaderChanged,
    /// Too much is waiting already.
    TooManyRequests,
    /// The command is larger than the log takes.
    TooLarge,
    /// This member is stopping.
    Stopped,
    /// There is no room for it on the disk, or in the quota.
    DiskFull,
    /// This member is a learner and does not serve this.
    Learner,
}

/// Why an outcome is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// Time ran out.
    Timeout,
    /// The leader that took it is gone.
    LeaderLost,
    /// The way to the leader broke.
    ConnectionLost,
}
