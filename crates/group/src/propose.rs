//! Proposals on their way to the leader, here or elsewhere.

use crate::limits::FORWARD_BYTES_MAX;
use crate::tenure::Verdict;
use crate::{ForwardedProposal, Group, GroupBug, GroupMessage, Proposal, RefusedReason};
use bytes::Bytes;
use synod_consensus::{Ballot, NotTaken, Origin, StoreId};

impl Group {
    pub(crate) fn accept_proposals(&mut self, proposals: Vec<Proposal>) {
        for proposal in proposals {
            if self.stopped.is_some() {
                self.refuse(proposal.request, RefusedReason::Stopped);
            } else {
                self.proposals.accept(proposal, &mut self.effects.outcomes);
            }
        }
    }

    /// Gives everything that waits to the leader; without one it goes on waiting.
    pub(crate) fn submit_proposals(&mut self) {
        if !self.proposals.has_waiting() {
            return;
        }
        if self.is_leader() {
            self.place_own();
        } else if let Some(leader) = self.leader_elsewhere() {
            self.forward(leader);
        }
    }

    fn place_own(&mut self) {
        let waiting = self.proposals.take_waiting();
        let ballot = self.replica.soft_state().ballot;
        let sequences: Vec<u64> = waiting.iter().map(|(sequence, _)| *sequence).collect();
        let payloads: Vec<(Origin, Bytes)> = waiting
            .into_iter()
            .map(|(sequence, payload)| (self.proposals.origin(sequence), payload))
            .collect();
        match self.replica.propose(self.now, payloads) {
            Ok(first) => self.proposals.placed(ballot, first, sequences.into_iter()),
            Err(not_taken) => self.refuse_own(&sequences, not_taken),
        }
    }

    fn refuse_own(&mut self, sequences: &[u64], not_taken: NotTaken) {
        let reason = match not_taken {
            NotTaken::NotLeader => RefusedReason::LeaderChanged,
            NotTaken::Overloaded => RefusedReason::Overloaded,
            NotTaken::Stopped => RefusedReason::Stopped,
        };
        for sequence in sequences {
            self.proposals.refuse(*sequence, reason, &mut self.effects.outcomes);
        }
    }

    fn forward(&mut self, leader: StoreId) {
        let ballot = self.replica.soft_state().ballot;
        let waiting = self.proposals.take_waiting();
        self.proposals.forwarded(ballot, &waiting);
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (sequence, payload) in waiting {
            if bytes + payload.len() > FORWARD_BYTES_MAX && !batch.is_empty() {
                self.send_forward(leader, ballot, std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += payload.len();
            batch.push(ForwardedProposal { sequence, payload });
        }
        self.send_forward(leader, ballot, batch);
    }

    fn send_forward(&mut self, leader: StoreId, ballot: Ballot, proposals: Vec<ForwardedProposal>) {
        let incarnation = self.config.incarnation;
        self.send(leader, GroupMessage::Propose { ballot, incarnation, proposals });
    }

    /// Another store's proposals: taken at most once each, and only by the leadership they are
    /// meant for. Only what was certainly not taken is said to be so.
    pub(crate) fn take_forwarded(
        &mut self,
        from: StoreId,
        ballot: Ballot,
        incarnation: u64,
        proposals: Vec<ForwardedProposal>,
    ) {
        let planted = self.config.planted_bug == Some(GroupBug::TakeForwardedTwice);
        let fresh = |it: &ForwardedProposal| {
            planted || self.tenure.judge(ballot, from, incarnation, it.sequence) == Verdict::New
        };
        let fresh: Vec<ForwardedProposal> = proposals.into_iter().filter(fresh).collect();
        if fresh.is_empty() {
            return;
        }
        let sequences: Vec<u64> = fresh.iter().map(|it| it.sequence).collect();
        let leads = self.is_leader() && self.replica.soft_state().ballot == ballot;
        let taken = if leads {
            let origin = |sequence| Origin { store: from, incarnation, sequence };
            let entries = fresh.into_iter().map(|it| (origin(it.sequence), it.payload));
            self.replica.propose(self.now, entries).map(|_| ())
        } else {
            Err(NotTaken::NotLeader)
        };
        if let Err(why) = taken {
            let overloaded = why == NotTaken::Overloaded;
            let refused =
                GroupMessage::ProposeRefused { ballot, incarnation, sequences, overloaded };
            self.send(from, refused);
        }
    }

    pub(crate) fn forward_refused(
        &mut self,
        ballot: Ballot,
        incarnation: u64,
        sequences: &[u64],
        overloaded: bool,
    ) {
        if incarnation != self.config.incarnation {
            return;
        }
        if overloaded {
            self.proposals.overloaded(ballot, sequences, &mut self.effects.outcomes);
        } else {
            self.proposals.not_taken(ballot, sequences);
        }
    }
}
