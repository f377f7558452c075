//! What replicas of one group say to each other.
//!
//! Every message carries the sender's ballot. Requests of both protocols share their shape where
//! their meaning is the same: what makes an election safe differs, replication hardly does.

use crate::{Ballot, Entry, LogIndex};

/// A message between two replicas of one group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Message {
    /// The ballot that the sender acts under; for a canvass, the one it would campaign with.
    pub ballot: Ballot,
    /// What it says.
    pub body: Body,
}

/// The kinds of messages.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Body {
    /// "Would you support a campaign under this ballot?" Changes nothing at the receiver
    /// (pre-vote: Ongaro's thesis, 9.6).
    Canvass {
        /// Raft: the last entry of the sender's log, which must not be behind the receiver's.
        /// Multi-Paxos: how far the sender's log is chosen; the receiver must still hold what
        /// follows, or phase 1 could not bring it over.
        last: Position,
    },
    /// Answer to a canvass: the ballot of the canvass when granted, what the refuser has promised
    /// when not.
    CanvassReply {
        /// Whether a campaign would find support.
        granted: bool,
    },
    /// Raft: "vote for me".
    Vote {
        /// The last entry of the sender's log.
        last: Position,
    },
    /// Raft: answer to a vote request; a grant is durable.
    VoteReply {
        /// Whether the vote was given.
        granted: bool,
    },
    /// Multi-Paxos phase 1a: "promise me this ballot, and tell what you accepted from `from` on".
    /// The same ballot may ask again, for the next chunk.
    Prepare {
        /// The first position that the sender wants to know of.
        from: LogIndex,
    },
    /// Multi-Paxos phase 1b: a durable promise with one chunk of what was accepted.
    Promise {
        /// Echoes the request.
        from: LogIndex,
        /// Consecutive from `from`; positions that the sender's log no longer holds are missing,
        /// and `first` says so.
        accepted: Vec<Entry>,
        /// The first position that the sender's log still holds.
        first: LogIndex,
        /// The last position of the sender's log: more chunks follow until it is reached.
        last: LogIndex,
        /// How far the sender knows its log to be chosen.
        committed: LogIndex,
    },
    /// "Your ballot is too low": the message's ballot is what the sender has promised.
    Reject,
    /// Raft's AppendEntries, Multi-Paxos phase 2a.
    Append {
        /// The position before the first entry; Raft compares the ballot too.
        previous: Position,
        /// Consecutive from `previous.index + 1`; may be empty.
        entries: Vec<Entry>,
        /// The leader's commit index.
        committed: LogIndex,
    },
    /// The durable answer to an append, Multi-Paxos phase 2b.
    Appended {
        /// Everything up to here is durable at the sender and the same as the leader's.
        matched: LogIndex,
    },
    /// An append did not fit on the sender's log.
    AppendRefused {
        /// The `previous.index` of the append that was refused, which tells stale refusals apart.
        previous: LogIndex,
        /// Where the leader should try next: it need not go below this.
        hint: Position,
    },
    /// The leader's commit index moved and there is nothing else to say. Not answered.
    Commit {
        /// The leader's commit index.
        committed: LogIndex,
    },
    /// The leader is alive; asks for confirmation of its leadership.
    Heartbeat {
        /// The leader's commit index.
        committed: LogIndex,
        /// Numbers the leader's confirmation rounds.
        round: u64,
    },
    /// The receiver has promised no higher ballot.
    HeartbeatReply {
        /// Echoes the round.
        round: u64,
        /// How far the sender knows its log to be the leader's: less than it has acknowledged, if
        /// it restarted since.
        verified: LogIndex,
    },
}

/// A log position together with the ballot of what stands there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Position {
    /// The ballot of the entry at `index`.
    pub ballot: Ballot,
    /// The position.
    pub index: LogIndex,
}
