//! What is Multi-Paxos's own: phase 1 brings over what others accepted, and each position keeps the
//! ballot that it was accepted under. (Lamport, "Paxos Made Simple", 2001, section 3.)
//!
//! The log is contiguous: a leader proposes position after position, and an acceptor takes a
//! position only when it has everything before it from the same ballot or knows it to be chosen.
//! So a candidate learns whole logs, chunk by chunk, and there are no gaps to fill.
//!
//! **Invariant:** an acceptor never lowers the ballot of a position, nor forgets one that may be
//! chosen: overwriting a position keeps what follows.

use crate::config::ConsensusBug;
use crate::replica::{Replica, State};
use crate::{Ballot, Body, Entry, LogIndex, Protocol, StoreId, quorum};
use std::collections::BTreeMap;

/// Phase 1 under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Preparation {
    ballot: Ballot,
    /// The first position that is not known to be chosen; everything is asked for from here.
    base: LogIndex,
    /// For each position from `base`, what was accepted under the highest ballot seen.
    recovered: BTreeMap<LogIndex, Entry>,
    acceptors: BTreeMap<StoreId, Acceptor>,
    /// What some acceptor whose log was read whole knows to be chosen.
    chosen: LogIndex,
}

/// What has been read of one acceptor's log.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Acceptor {
    next: LogIndex,
    complete: bool,
}

/// One chunk of what an acceptor has accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Chunk {
    pub(crate) start: LogIndex,
    pub(crate) accepted: Vec<Entry>,
    pub(crate) first: LogIndex,
    pub(crate) last: LogIndex,
    pub(crate) committed: LogIndex,
}

impl Preparation {
    fn learn(&mut self, entry: Entry) {
        let known = self.recovered.get(&entry.index);
        if known.is_none_or(|known| known.ballot < entry.ballot) {
            self.recovered.insert(entry.index, entry);
        }
    }
}

impl Replica {
    /// Phase 1a. The promise to itself is durable before anyone hears of the ballot, so that no
    /// ballot is used twice.
    pub(crate) fn prepare(&mut self, ballot: Ballot) {
        let base = self.committed.next();
        let own = self.log.slice(base, self.log.last(), usize::MAX);
        for store in self.other_voters() {
            self.say(store, ballot, Body::Prepare { from: base });
        }
        let mut preparation = Preparation {
            ballot,
            base,
            recovered: BTreeMap::new(),
            acceptors: BTreeMap::new(),
            chosen: self.committed,
        };
        own.into_iter().for_each(|entry| preparation.learn(entry));
        self.state = State::Preparing(preparation);
        self.set_leader(None, ballot);
    }

    /// Phase 1b: promises, and tells one chunk of what was accepted. Asked again under the same
    /// ballot, it tells another chunk.
    pub(crate) fn on_prepare(&mut self, from: StoreId, ballot: Ballot, start: LogIndex) {
        if self.config.protocol != Protocol::Paxos {
            return;
        }
        if self.is_outranked(ballot) {
            let promised = self.promised;
            return self.say(from, promised, Body::Reject);
        }
        if self.outranks(ballot) {
            self.adopt(ballot);
        }
        self.restart_election_timer();
        let first = self.log.first();
        let last = self.log.last();
        let accepted = if start < first {
            Vec::new()
        } else {
            self.log.slice(start, last, self.config.append_bytes_max)
        };
        let committed = self.committed;
        self.say(from, ballot, Body::Promise { from: start, accepted, first, last, committed });
    }

    pub(crate) fn on_promise(&mut self, from: StoreId, ballot: Ballot, chunk: Chunk) {
        let planted = self.planted(ConsensusBug::AdoptFirstChunk);
        let State::Preparing(preparation) = &mut self.state else { return };
        if preparation.ballot != ballot {
            return;
        }
        let start = preparation.base;
        let acceptor =
            preparation.acceptors.entry(from).or_insert(Acceptor { next: start, complete: false });
        // A chunk that came twice, or one of a log that was compacted since: it cannot be used.
        if acceptor.complete || chunk.start != acceptor.next || chunk.first > chunk.start {
            return;
        }
        acceptor.next = chunk.accepted.last().map_or(chunk.start, |entry| entry.index.next());
        acceptor.complete = planted || acceptor.next > chunk.last;
        let (next, complete) = (acceptor.next, acceptor.complete);
        chunk.accepted.into_iter().for_each(|entry| preparation.learn(entry));
        if !complete {
            return self.send(from, ballot, Body::Prepare { from: next });
        }
        preparation.chosen = preparation.chosen.max(chunk.committed.min(next.previous()));
        self.count_promises();
    }

    pub(crate) fn count_promises(&mut self) {
        let own_is_durable = self.writer.promised_on_disk() == self.promised;
        let State::Preparing(preparation) = &self.state else { return };
        let me = self.config.store;
        let won = quorum::has_quorum(self.log.membership(), |store| {
            let complete =
                preparation.acceptors.get(&store).is_some_and(|acceptor| acceptor.complete);
            complete || (store == me && own_is_durable)
        });
        if won {
            self.finish_preparation();
        }
    }

    /// Proposes what was recovered again, each under the new ballot, before anything of its own.
    fn finish_preparation(&mut self) {
        let State::Preparing(preparation) = std::mem::replace(&mut self.state, State::Follower)
        else {
            unreachable!("promises are counted while preparing")
        };
        let Preparation { ballot, recovered, chosen, .. } = preparation;
        for (_, entry) in recovered {
            // A position may have been chosen since phase 1 began, by word of an earlier leader.
            if entry.index > self.committed {
                self.accept_under(ballot, entry);
            }
        }
        self.commit_to(chosen);
        self.lead(ballot);
    }

    /// Accepts an entry under `ballot`, at whatever ballot it was accepted before.
    pub(crate) fn accept_under(&mut self, ballot: Ballot, entry: Entry) {
        let known = self.log.ballot_at(entry.index);
        if known.is_some_and(|known| known >= ballot) {
            return;
        }
        let entry = Entry { ballot, ..entry };
        self.log.put(entry.clone());
        self.writer.entry(self.now, entry);
    }
}
