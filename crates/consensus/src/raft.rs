//! What is Raft's own: votes by who has the newer log, and a log that conflicts is cut.
//! (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014, section 5.)

use crate::replica::{Replica, State};
use crate::{Ballot, Body, Entry, Position, Protocol, StoreId, quorum};
use std::collections::BTreeSet;

impl Replica {
    /// Whether a log that ends at `last` holds everything that may be committed (section 5.4.1).
    pub(crate) fn is_up_to_date(&self, last: Position) -> bool {
        let own = self.log.last_position();
        (last.ballot.round, last.index) >= (own.ballot.round, own.index)
    }

    pub(crate) fn request_votes(&mut self, ballot: Ballot) {
        let write = self.writer.upcoming();
        let last = self.log.last_position();
        for store in self.other_voters() {
            // Only after the own vote is durable: a campaign must not be forgotten and repeated.
            self.say(store, ballot, Body::Vote { last });
        }
        let granted = BTreeSet::new();
        self.state = State::Candidate { ballot, granted, write };
        self.set_leader(None, ballot);
    }

    pub(crate) fn on_vote(&mut self, from: StoreId, ballot: Ballot, last: Position) {
        if self.config.protocol != Protocol::Raft {
            return;
        }
        if self.outranks(ballot) {
            self.adopt(ballot);
        }
        let free = self.promised == Ballot::new(ballot.round, StoreId::NONE);
        if free && self.is_up_to_date(last) {
            self.restart_election_timer();
            self.promise(ballot);
        }
        let granted = self.promised == ballot;
        let answer = if granted { ballot } else { self.promised };
        self.say(from, answer, Body::VoteReply { granted });
    }

    pub(crate) fn on_vote_reply(&mut self, from: StoreId, ballot: Ballot, granted: bool) {
        if !granted && self.outranks(ballot) {
            return self.adopt(ballot);
        }
        if let State::Candidate { ballot: own, granted: votes, .. } = &mut self.state
            && granted
            && *own == ballot
        {
            votes.insert(from);
            self.count_votes();
        }
    }

    pub(crate) fn count_votes(&mut self) {
        let own_is_durable = self.writer.promised_on_disk() == self.promised;
        let State::Candidate { ballot, granted, .. } = &self.state else { return };
        let me = self.config.store;
        let won = quorum::has_quorum(self.log.membership(), |store| {
            granted.contains(&store) || (store == me && own_is_durable)
        });
        if won {
            let ballot = *ballot;
            self.lead(ballot);
        }
    }

    /// Raft: an entry that is there stays; one that conflicts goes, with everything behind it.
    pub(crate) fn append_or_cut(&mut self, entry: Entry) {
        match self.log.ballot_at(entry.index) {
            Some(ballot) if ballot == entry.ballot => return,
            Some(_) => {
                self.log.truncate(entry.index);
                self.writer.truncate(self.now, entry.index);
            }
            None => {}
        }
        self.log.append(entry.clone());
        self.writer.entry(self.now, entry);
    }
}
