//! The lease keepers of simulated stores.

use super::{Checked, PATIENCE, Sim, Waiting};
use crate::network::Place;
use synod_consensus::GroupId;
use synod_group::{Evaluate, Input, Proposal, RequestId};

impl Sim {
    pub(super) fn is_keepers(&self, place: Place, request: RequestId) -> bool {
        matches!(self.waiting.get(&(place, request)), Some(Waiting::Keeper { .. }))
    }

    pub(super) fn propose_for_keeper(&mut self, place: Place, group: GroupId) -> Checked {
        if group != GroupId::DEFAULT {
            return Ok(());
        }
        let now = self.stores[place].now(self.now);
        let request = self.number();
        let Some(member) = self.member(place, group) else { return Ok(()) };
        let Some(command) = member.keeper.poll(now) else { return Ok(()) };
        let deadline = now.after(PATIENCE);
        let payload = command.encode();
        self.waiting.insert((place, request), Waiting::Keeper { group });
        let member = self.member(place, group).expect("it has just spoken");
        member.handle(now, Input::Propose(vec![Proposal { request, payload, deadline }]));
        Ok(())
    }

    pub(super) fn evaluate(&mut self, place: Place, group: GroupId, evaluate: Evaluate) {
        let now = self.stores[place].now(self.now);
        let Some(member) = self.member(place, group) else { return };
        let answer = member.keeper.answer(now, evaluate.confirmed_at, evaluate.question);
        member.handle(now, Input::Answered { ask: evaluate.ask, answer });
    }
}
