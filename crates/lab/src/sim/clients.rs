//! Clients: what they ask, and how they are told.

use super::{Checked, PATIENCE, Sim, Waiting};
use crate::history::{Asked, Told};
use crate::network::Place;
use crate::schedule::Event;
use bytes::Bytes;
use synod_consensus::GroupId;
use synod_group::{Input, Outcome, Proposal, RequestId};
use synod_mvcc::{LeaseQuestion, LeaseTime, ReadError};

impl Sim {
    pub(super) fn number(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    pub(super) fn client_asks(&mut self, client: usize) -> Checked {
        if !self.clients_active {
            return Ok(());
        }
        let asked = self.workload.draw();
        let place = self.random.below(self.stores.len() as u64) as Place;
        if !self.is_up(place) {
            self.schedule.add(self.now.plus(20_000), Event::Client(client));
            return Ok(());
        }
        self.ask(client, place, asked)
    }

    /// A client asks a store that is up.
    ///
    /// # Errors
    /// The first broken promise.
    pub fn ask(&mut self, client: usize, place: Place, asked: Asked) -> Checked {
        let request = self.number();
        let deadline = self.stores[place].now(self.now).after(PATIENCE);
        let operation = self.history.invoke(client, asked.clone(), self.now);
        self.waiting.insert((place, request), Waiting::Client { operation });
        let group = GroupId::DEFAULT;
        let input = match asked {
            Asked::Command { command, .. } => {
                let payload = command.encode();
                let proposal = Proposal { request, payload, deadline };
                return self.propose(place, group, proposal, operation);
            }
            Asked::Read(_) => Input::Read { request, deadline },
            Asked::Renew(lease) => {
                Input::Ask { request, question: LeaseQuestion::Renew(lease).encode(), deadline }
            }
        };
        self.input(place, group, input)
    }

    pub(super) fn propose(
        &mut self,
        place: Place,
        group: GroupId,
        proposal: Proposal,
        operation: usize,
    ) -> Checked {
        let now = self.stores[place].now(self.now);
        let Some(member) = self.member(place, group) else { return Ok(()) };
        let before = member.group().last_origin();
        member.handle(now, Input::Propose(vec![proposal]));
        let origin = member.group().last_origin();
        if origin != before {
            self.history.named(operation, origin);
        }
        self.pump(place, group)
    }

    pub(super) fn client_later(&mut self, operation: usize) {
        let client = self.history.operations()[operation].client;
        let pause = self.random.between(500, 60_000);
        self.schedule.add(self.now.plus(pause), Event::Client(client));
    }

    pub(super) fn outcome(
        &mut self,
        place: Place,
        group: GroupId,
        request: RequestId,
        outcome: Outcome,
    ) -> Checked {
        match (self.waiting.get(&(place, request)), outcome) {
            (Some(Waiting::Client { operation }), Outcome::ReadReady) => {
                let operation = *operation;
                self.read(place, group, request, operation)
            }
            _ => self.end(place, request, Told::Ended(outcome)),
        }
    }

    pub(super) fn read(
        &mut self,
        place: Place,
        group: GroupId,
        request: RequestId,
        operation: usize,
    ) -> Checked {
        let Asked::Read(range) = self.history.operations()[operation].asked.clone() else {
            return Err(self.broken("a read is ready that nobody asked for".to_owned()));
        };
        let Some(member) = self.member(place, group) else { return Ok(()) };
        let reader = member.keyspace.reader();
        let reply = match reader.range(&range) {
            Ok(reply) => Ok(reply),
            Err(ReadError::Refused(refusal)) => Err(refusal),
            Err(ReadError::Fatal(fatal)) => return Err(self.broken(fatal.to_string())),
        };
        let told = Told::Read { index: reader.applied(), revision: reader.revision(), reply };
        self.end(place, request, told)
    }

    pub(super) fn answer(&mut self, place: Place, request: RequestId, answer: Bytes) -> Checked {
        let time = LeaseTime::decode(answer).map_err(|error| self.broken(error.to_string()))?;
        self.end(place, request, Told::Renewed(time.map(|time| time.granted_seconds)))
    }

    pub(crate) fn end(&mut self, place: Place, request: RequestId, told: Told) -> Checked {
        match self.waiting.remove(&(place, request)) {
            Some(Waiting::Client { operation }) => {
                self.fold(format!("{told:?}").as_bytes());
                self.history.end(operation, told, self.now);
                self.client_later(operation);
            }
            Some(Waiting::Keeper { group }) => {
                let now = self.stores[place].now(self.now);
                if let (Told::Ended(_), Some(member)) = (&told, self.member(place, group)) {
                    member.keeper.failed(now);
                }
            }
            Some(Waiting::Nobody) => {}
            None => return Err(self.broken(format!("{request:?} has a second outcome: {told:?}"))),
        }
        Ok(())
    }
}
