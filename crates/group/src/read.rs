//! Reads and questions: confirmed by the leader in rounds, answered when the state has caught up.

use crate::group::Confirmation;
use crate::limits::{READ_ROUNDS_MAX, RETRY_HEARTBEATS};
use crate::requests::{Asker, Question};
use crate::{AskId, Evaluate, Group, GroupMessage, Outcome, RefusedReason, RequestId};
use bytes::Bytes;
use synod_consensus::{Instant, LogIndex, ReadId, ReadOutcome, StoreId};

impl Group {
    pub(crate) fn accept_read(&mut self, request: RequestId, deadline: Instant) {
        if self.stopped.is_some() {
            self.refuse(request, RefusedReason::Stopped);
        } else if !self.reads.accept(request, deadline, ()) {
            self.refuse(request, RefusedReason::Overloaded);
        }
    }

    pub(crate) fn accept_ask(&mut self, request: RequestId, question: Bytes, deadline: Instant) {
        if self.stopped.is_some() {
            self.refuse(request, RefusedReason::Stopped);
        } else if !self.asks.accept(request, deadline, question) {
            self.refuse(request, RefusedReason::Overloaded);
        }
    }

    fn retry_at(&self) -> Instant {
        self.now.after(self.config.consensus.heartbeat_interval * RETRY_HEARTBEATS)
    }

    /// One round for every read that waits.
    pub(crate) fn submit_reads(&mut self) {
        if !self.reads.has_waiting() || self.reads.rounds_under_way() >= READ_ROUNDS_MAX {
            return;
        }
        if self.is_leader() {
            let number = self.number();
            if self.confirm(Confirmation::Reads(number)) {
                self.reads.begin_round(number, Instant::NEVER);
            }
        } else if let Some(leader) = self.leader_elsewhere() {
            let sequence = self.number();
            self.reads.begin_round(sequence, self.retry_at());
            let incarnation = self.config.incarnation;
            self.send(leader, GroupMessage::ReadIndex { incarnation, sequence });
        }
    }

    pub(crate) fn submit_asks(&mut self) {
        while self.asks.has_waiting() {
            if self.is_leader() {
                self.ask_own();
            } else if let Some(leader) = self.leader_elsewhere() {
                self.ask_leader(leader);
            } else {
                return;
            }
        }
    }

    fn ask_own(&mut self) {
        let round = self.number();
        if let Some(question) = self.asks.begin_one(round, Instant::NEVER)
            && !self.begin_question(Asker::Here(round), question)
        {
            // It is put again when the retry is due, not in this very loop.
            self.asks.retry_round(round, self.retry_at());
        }
    }

    fn ask_leader(&mut self, leader: StoreId) {
        let sequence = self.number();
        let retry_at = self.retry_at();
        if let Some(question) = self.asks.begin_one(sequence, retry_at) {
            let incarnation = self.config.incarnation;
            self.send(leader, GroupMessage::Ask { incarnation, sequence, question });
        }
    }

    /// Asks the replica to confirm that it leads; false if it does not take that on.
    fn confirm(&mut self, confirmation: Confirmation) -> bool {
        let id = ReadId(self.number());
        let taken = self.replica.read(self.now, id).is_ok();
        if taken {
            self.confirmations.insert(id, confirmation);
        }
        taken
    }

    fn begin_question(&mut self, from: Asker, question: Bytes) -> bool {
        let ask = AskId(self.number());
        let taken = self.confirm(Confirmation::Question(ask));
        if taken {
            self.questions.insert(ask, Question { from, question, asked_at: self.now });
        }
        taken
    }

    pub(crate) fn confirm_for(&mut self, store: StoreId, incarnation: u64, sequence: u64) {
        if !self.confirm(Confirmation::ReadsFor { store, incarnation, sequence }) {
            let reply = GroupMessage::ReadIndexReply { incarnation, sequence, index: None };
            self.send(store, reply);
        }
    }

    pub(crate) fn ask_for(
        &mut self,
        store: StoreId,
        incarnation: u64,
        sequence: u64,
        question: Bytes,
    ) {
        if !self.begin_question(Asker::There { store, incarnation, sequence }, question) {
            self.send(store, GroupMessage::Answer { incarnation, sequence, answer: None });
        }
    }

    /// The replica's word on a confirmation.
    pub(crate) fn confirmed(&mut self, outcome: ReadOutcome) {
        let (id, index) = match outcome {
            ReadOutcome::Ready { id, index } => (id, Some(index)),
            ReadOutcome::Failed { id } => (id, None),
        };
        match self.confirmations.remove(&id) {
            Some(Confirmation::Reads(round)) => self.round_confirmed(round, index),
            Some(Confirmation::ReadsFor { store, incarnation, sequence }) => {
                let reply = GroupMessage::ReadIndexReply { incarnation, sequence, index };
                self.send(store, reply);
            }
            Some(Confirmation::Question(ask)) => self.question_confirmed(ask, index),
            None => unreachable!("the replica tells each outcome once"),
        }
    }

    fn round_confirmed(&mut self, round: u64, index: Option<LogIndex>) {
        match index {
            Some(index) => {
                let requests = self.reads.finish_round(round);
                self.read_waits.wait(index, requests);
                self.release_applied();
            }
            None => self.reads.fail_round(round),
        }
    }

    fn question_confirmed(&mut self, ask: AskId, index: Option<LogIndex>) {
        match index {
            Some(index) => {
                self.ask_waits.wait(index, [ask]);
                self.release_applied();
            }
            None => self.answered(ask, None),
        }
    }

    pub(crate) fn release_applied(&mut self) {
        for request in self.read_waits.release(self.applied) {
            if self.reads.close(request) {
                self.effects.outcomes.push((request, Outcome::ReadReady));
            }
        }
        for ask in self.ask_waits.release(self.applied) {
            if let Some(question) = self.questions.get(&ask) {
                self.effects.evaluate.push(Evaluate {
                    ask,
                    question: question.question.clone(),
                    confirmed_at: question.asked_at,
                });
            }
        }
    }

    pub(crate) fn read_index_reply(
        &mut self,
        incarnation: u64,
        sequence: u64,
        index: Option<LogIndex>,
    ) {
        if incarnation != self.config.incarnation {
            return;
        }
        match index {
            Some(index) => self.round_confirmed(sequence, Some(index)),
            // The leader that was asked is none: another try waits for its time, so that two
            // stores that disagree do not bounce it between them.
            None => self.reads.retry_round(sequence, self.retry_at()),
        }
    }

    /// The host evaluated a question, or the leadership it needed was lost.
    pub(crate) fn answered(&mut self, ask: AskId, answer: Option<Bytes>) {
        let Some(question) = self.questions.remove(&ask) else { return };
        match question.from {
            Asker::Here(round) => self.round_answered(round, answer),
            Asker::There { store, incarnation, sequence } => {
                self.send(store, GroupMessage::Answer { incarnation, sequence, answer });
            }
        }
    }

    pub(crate) fn answer_came(&mut self, incarnation: u64, sequence: u64, answer: Option<Bytes>) {
        if incarnation == self.config.incarnation {
            self.round_answered(sequence, answer);
        }
    }

    fn round_answered(&mut self, round: u64, answer: Option<Bytes>) {
        let Some(answer) = answer else {
            return self.asks.retry_round(round, self.retry_at());
        };
        for request in self.asks.finish_round(round) {
            if self.asks.close(request) {
                self.effects.answers.push((request, answer.clone()));
            }
        }
    }
}
