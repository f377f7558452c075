//! What the groups' members on two nodes say to each other: consensus, and what rides beside it.

use bytes::Bytes;
use synod_consensus::{Ballot, LogIndex, Message, SnapshotMeta};

/// A message between two members of one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupMessage {
    /// Between the replicas.
    Consensus(Message),
    /// To the leader: propose these. Each is taken at most once, and only by the leadership that
    /// the sender meant: what is lost on the way is lost.
    Propose {
        /// The leadership meant; another one refuses.
        ballot: Ballot,
        /// Which start of the sender's process.
        incarnation: u64,
        /// In ascending order of their sequence.
        proposals: Vec<ForwardedProposal>,
    },
    /// From the leader that was meant: these were certainly not proposed.
    ProposeRefused {
        /// The leadership that was meant.
        ballot: Ballot,
        /// Which start of the receiver's process they belong to.
        incarnation: u64,
        /// Which.
        sequences: Vec<u64>,
        /// Whether the reason is overload rather than lost leadership.
        overloaded: bool,
    },
    /// To the leader: which position must a read wait for?
    ReadIndex {
        /// Which start of the sender's process.
        incarnation: u64,
        /// The sender's number for this round of reads.
        sequence: u64,
    },
    /// Answer to [`GroupMessage::ReadIndex`].
    ReadIndexReply {
        /// Echoed.
        incarnation: u64,
        /// Echoed.
        sequence: u64,
        /// The position; `None` when the receiver did not lead or lost its leadership.
        index: Option<LogIndex>,
    },
    /// To the leader: a question that only a confirmed leader may answer.
    Ask {
        /// Which start of the sender's process.
        incarnation: u64,
        /// The sender's number for the question.
        sequence: u64,
        /// The state machine's own.
        question: Bytes,
    },
    /// Answer to [`GroupMessage::Ask`].
    Answer {
        /// Echoed.
        incarnation: u64,
        /// Echoed.
        sequence: u64,
        /// The state machine's own; `None` when the receiver could not answer.
        answer: Option<Bytes>,
    },
    /// From the leader: a snapshot is ready to be fetched.
    SnapshotOffer {
        /// The sender's number for the session; never reused within its incarnation.
        session: u64,
        /// What it holds.
        meta: SnapshotMeta,
    },
    /// To the offerer: send the chunk with this number, which starts behind the key `after`.
    SnapshotFetch {
        /// Echoed.
        session: u64,
        /// From 0.
        number: u64,
        /// The last key of the chunk before; empty for the first.
        after: Bytes,
    },
    /// One chunk.
    SnapshotChunk {
        /// Echoed.
        session: u64,
        /// Echoed.
        number: u64,
        /// The state machine's own, with its own checksum.
        chunk: Bytes,
        /// The last key in it: where the next one starts.
        resume: Bytes,
        /// Nothing comes after it.
        last: bool,
    },
    /// To the offerer: the receiver holds what the snapshot holds, durably, or gave it up.
    SnapshotEnded {
        /// Echoed.
        session: u64,
        /// Whether it holds it.
        installed: bool,
    },
    /// The session is unknown or over: the fetcher should drop what it has.
    SnapshotGone {
        /// Echoed.
        session: u64,
    },
}

/// One proposal on its way to the leader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForwardedProposal {
    /// Counts the proposals of the sender's incarnation.
    pub sequence: u64,
    /// The command.
    pub payload: Bytes,
}
