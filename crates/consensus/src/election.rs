//! How leadership begins and ends, as far as both protocols agree: timers, the canvass before a
//! campaign, following a leader, stepping down.

use crate::replica::{Replica, State};
use crate::{Ballot, Body, LogIndex, Position, Protocol, StoreId, quorum};
use std::collections::BTreeSet;

impl Replica {
    pub(crate) fn restart_election_timer(&mut self) {
        let timeout = self.random.between_one_and_two(self.config.election_timeout);
        self.election_due = self.now.after(timeout);
    }

    pub(crate) fn may_campaign(&self) -> bool {
        self.log.membership().is_voter(self.config.store)
    }

    /// Whether `ballot` binds whoever sees it to more than it has promised. Raft compares terms
    /// alone: the vote within a term is given on request only.
    pub(crate) fn outranks(&self, ballot: Ballot) -> bool {
        match self.config.protocol {
            Protocol::Raft => ballot.round > self.promised.round,
            Protocol::Paxos => ballot > self.promised,
        }
    }

    /// Whether `ballot` is below what was promised.
    pub(crate) fn is_outranked(&self, ballot: Ballot) -> bool {
        match self.config.protocol {
            Protocol::Raft => ballot.round < self.promised.round,
            Protocol::Paxos => ballot < self.promised,
        }
    }

    /// Gives way to a higher ballot.
    pub(crate) fn adopt(&mut self, ballot: Ballot) {
        let promised = match self.config.protocol {
            Protocol::Raft => Ballot::new(ballot.round, StoreId::NONE),
            Protocol::Paxos => ballot,
        };
        self.step_down();
        self.promise(promised);
    }

    /// Follows nobody from here on. The promise stays as it is: a vote is not given twice.
    pub(crate) fn step_down(&mut self) {
        if !matches!(self.state, State::Follower) {
            self.fail_reads();
            self.state = State::Follower;
            self.restart_election_timer();
        }
        self.set_leader(None, self.promised);
    }

    /// Asks every voter whether a campaign would find support (pre-vote). Nothing changes by it,
    /// so that a store that comes back from a partition disturbs nobody.
    pub(crate) fn canvass(&mut self) {
        self.restart_election_timer();
        if !self.may_campaign() {
            return;
        }
        let ballot = Ballot::new(self.promised.round + 1, self.config.store);
        self.state = State::Canvasser { ballot, granted: BTreeSet::from([self.config.store]) };
        self.set_leader(None, self.promised);
        let last = self.canvass_position();
        for store in self.other_voters() {
            self.send(store, ballot, Body::Canvass { last });
        }
        self.count_canvass();
    }

    /// What the canvassed must compare their logs with.
    fn canvass_position(&self) -> Position {
        match self.config.protocol {
            Protocol::Raft => self.log.last_position(),
            Protocol::Paxos => Position { ballot: Ballot::ZERO, index: self.committed },
        }
    }

    pub(crate) fn other_voters(&self) -> Vec<StoreId> {
        let membership = self.log.membership();
        membership
            .stores()
            .filter(|store| *store != self.config.store && membership.is_voter(*store))
            .collect()
    }

    pub(crate) fn on_canvass(&mut self, from: StoreId, ballot: Ballot, last: Position) {
        let supported = !self.is_outranked(ballot)
            && ballot.round > self.promised.round
            && !self.has_live_leader()
            && self.could_elect(last);
        if supported {
            return self.say(from, ballot, Body::CanvassReply { granted: true });
        }
        let promised = self.promised;
        self.say(from, promised, Body::CanvassReply { granted: false });
    }

    /// Whether a leader was heard of so recently that it must be taken to live.
    fn has_live_leader(&self) -> bool {
        let heard = self
            .heard_leader_at
            .is_some_and(|at| self.now.since(at) < self.config.election_timeout);
        heard || matches!(self.state, State::Leader(_))
    }

    /// Whether a store that says this of its log could take office with this store's support.
    fn could_elect(&self, last: Position) -> bool {
        match self.config.protocol {
            Protocol::Raft => self.is_up_to_date(last),
            Protocol::Paxos => last.index.next() >= self.log.first(),
        }
    }

    pub(crate) fn on_canvass_reply(&mut self, from: StoreId, ballot: Ballot, granted: bool) {
        if !granted && self.outranks(ballot) {
            return self.adopt(ballot);
        }
        if let State::Canvasser { ballot: own, granted: supporters } = &mut self.state
            && granted
            && *own == ballot
        {
            supporters.insert(from);
            self.count_canvass();
        }
    }

    fn count_canvass(&mut self) {
        let State::Canvasser { ballot, granted } = &self.state else { return };
        if quorum::has_quorum(self.log.membership(), |store| granted.contains(&store)) {
            let ballot = *ballot;
            self.restart_election_timer();
            self.campaign(ballot);
        }
    }

    fn campaign(&mut self, ballot: Ballot) {
        self.promise(ballot);
        match self.config.protocol {
            Protocol::Raft => self.request_votes(ballot),
            Protocol::Paxos => self.prepare(ballot),
        }
    }

    /// The own vote, or the own promise, counts once it is durable.
    pub(crate) fn count_own_support(&mut self) {
        if self.writer.promised_on_disk() != self.promised {
            return;
        }
        match &self.state {
            State::Candidate { .. } => self.count_votes(),
            State::Preparing(_) => self.count_promises(),
            State::Follower | State::Canvasser { .. } | State::Leader(_) => {}
        }
    }

    pub(crate) fn on_reject(&mut self, ballot: Ballot) {
        if self.outranks(ballot) {
            self.adopt(ballot);
        }
    }

    /// Whether `from` leads under `ballot`; then it is followed. Otherwise it is told why not.
    pub(crate) fn accept_leader(&mut self, from: StoreId, ballot: Ballot) -> bool {
        if self.is_outranked(ballot) {
            let promised = self.promised;
            self.say(from, promised, Body::Reject);
            return false;
        }
        if self.outranks(ballot) {
            self.adopt(ballot);
        }
        if !matches!(self.state, State::Follower) {
            self.step_down();
        }
        if self.verified.0 != ballot {
            self.verified = (ballot, self.written_under(ballot));
        }
        self.heard_leader_at = Some(self.now);
        self.restart_election_timer();
        if self.soft_state().leader != Some(from) || self.soft_state().ballot != ballot {
            self.set_leader(Some(from), ballot);
        }
        true
    }

    /// How far this log is known to be that of `ballot`'s leader: what stands in it under a ballot
    /// came from that ballot's leader. A store that restarts learns here what it acknowledged
    /// before; its leader, which has nothing more to send, could not tell it.
    fn written_under(&self, ballot: Ballot) -> LogIndex {
        let last = self.log.last_position();
        match self.config.protocol {
            // Logs that agree in one entry agree in everything before it (section 5.3 of the paper).
            Protocol::Raft if last.ballot == ballot => last.index,
            Protocol::Raft => LogIndex::ZERO,
            // Everything behind the commit index up to an acknowledgement was accepted under its
            // ballot, and the commit index became durable with the acknowledgement.
            Protocol::Paxos => {
                let mut known = self.committed;
                while self.log.ballot_at(known.next()) == Some(ballot) {
                    known = known.next();
                }
                known
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Entry, HardState, Instant, Membership, Message, Restored, SnapshotMeta};

    const LEADER: StoreId = StoreId(2);

    /// Store 1, restarted with three entries that it had acknowledged to store 2, which leads in
    /// round 4; the commit index of the first is durable.
    fn restarted(protocol: Protocol) -> Replica {
        let ballot = Ballot::new(4, LEADER);
        let entry = |index| Entry {
            index: LogIndex(index),
            ballot,
            origin: crate::Origin::default(),
            kind: crate::EntryKind::Noop,
            payload: bytes::Bytes::new(),
        };
        let membership = Membership::of_voters([StoreId(1), LEADER, StoreId(3)]);
        let restored = Restored {
            hard_state: HardState { promised: ballot, committed: LogIndex(1) },
            snapshot: SnapshotMeta { index: LogIndex::ZERO, ballot: Ballot::ZERO, membership },
            entries: (1..=3).map(entry).collect(),
            applied: LogIndex(1),
        };
        Replica::new(Config::local_network(StoreId(1), protocol, 7), restored, Instant(0))
    }

    fn heartbeat(replica: &mut Replica, round: u64) {
        let body = Body::Heartbeat { committed: LogIndex(3), round: 1 };
        let message = Message { ballot: Ballot::new(round, LEADER), body };
        replica.step(Instant(1), LEADER, message);
    }

    #[test]
    fn a_restarted_follower_commits_what_it_acknowledged_to_the_same_leader() {
        for protocol in [Protocol::Raft, Protocol::Paxos] {
            let mut replica = restarted(protocol);
            heartbeat(&mut replica, 4);
            assert_eq!(replica.committed(), LogIndex(3), "{protocol}");
        }
    }

    #[test]
    fn a_restarted_follower_commits_nothing_of_another_leaders_by_a_heartbeat_alone() {
        for protocol in [Protocol::Raft, Protocol::Paxos] {
            let mut replica = restarted(protocol);
            heartbeat(&mut replica, 5);
            assert_eq!(replica.committed(), LogIndex(1), "{protocol}");
        }
    }
}
