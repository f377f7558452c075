//! What a follower does with what its leader says.
//!
//! **Invariant:** `verified` is a ballot and how far this log is known to equal the log of that
//! ballot's leader; it is acknowledged, and followed by the commit index, no further than that.

use crate::replica::Replica;
use crate::{Ballot, Body, Entry, LogIndex, Position, Protocol, StoreId};

impl Replica {
    pub(crate) fn on_append(
        &mut self,
        from: StoreId,
        ballot: Ballot,
        previous: Position,
        entries: Vec<Entry>,
        committed: LogIndex,
    ) {
        let last = entries.last().map_or(previous.index, |entry| entry.index);
        if !self.follows_on(ballot, previous) {
            return self.refuse_append(from, ballot, previous);
        }
        for entry in entries {
            self.accept_entry(ballot, entry);
        }
        let reached = last.max(self.committed);
        self.verified.1 = self.verified.1.max(reached);
        self.commit_to(committed.min(self.verified.1));
        let matched = self.verified.1;
        self.say(from, ballot, Body::Appended { matched });
    }

    /// Whether the log agrees with the leader's up to `previous`.
    fn follows_on(&self, ballot: Ballot, previous: Position) -> bool {
        // What is committed agrees with every leader's log, whatever ballot it was written under.
        if previous.index <= self.committed {
            return true;
        }
        match self.config.protocol {
            Protocol::Raft => self.log.ballot_at(previous.index) == Some(previous.ballot),
            Protocol::Paxos => self.verified.0 == ballot && previous.index <= self.verified.1,
        }
    }

    fn refuse_append(&mut self, from: StoreId, ballot: Ballot, previous: Position) {
        let hint = match self.config.protocol {
            Protocol::Raft => {
                self.log.last_not_above(previous.index.previous(), previous.ballot.round)
            }
            Protocol::Paxos => Position { index: self.verified.1.max(self.committed), ballot },
        };
        self.say(from, ballot, Body::AppendRefused { previous: previous.index, hint });
    }

    fn accept_entry(&mut self, ballot: Ballot, entry: Entry) {
        if entry.index <= self.committed {
            return;
        }
        match self.config.protocol {
            Protocol::Raft => self.append_or_cut(entry),
            Protocol::Paxos => self.accept_under(ballot, entry),
        }
    }

    /// Follows a leader's commit index as far as its log is known to be in ours.
    pub(crate) fn commit_verified(&mut self, ballot: Ballot, committed: LogIndex) {
        if self.verified.0 == ballot {
            self.commit_to(committed.min(self.verified.1));
        }
    }

    pub(crate) fn answer_heartbeat(&mut self, to: StoreId, ballot: Ballot, round: u64) {
        let body = Body::HeartbeatReply { round, verified: self.verified.1 };
        if self.writer.promised_on_disk() == self.promised {
            // It asserts the promise alone, which is durable: a slow disk need not hold it up.
            return self.send(to, ballot, body);
        }
        self.say(to, ballot, body);
    }
}
