//! The core: the one thread that owns every group.
//!
//! Always holds: it never waits for a disk, a peer or a state machine, so that heartbeats leave in
//! time whatever stalls; a group is only ever changed through [`Recorded`], so that what came in
//! can be written down and replayed.

mod inbox;
mod route;

pub(crate) use inbox::{Gathered, Inbox, PeerMessage};
pub(crate) use route::Outlets;

use crate::board::Status;
use crate::clock::Clock;
use crate::hop;
use crate::journal::Journal;
use crate::limits::{APPLY_BATCH_BYTES, APPLY_QUEUE_BYTES_MAX};
use std::collections::BTreeMap;
use std::sync::Arc;
use synod_consensus::{Body, GroupId, Instant};
use synod_group::journal::Recorded;
use synod_group::{GroupEffects, GroupMessage, Input};

/// See the module's text.
pub(crate) struct Core {
    clock: Clock,
    inbox: Arc<Inbox>,
    groups: BTreeMap<GroupId, Recorded>,
    journal: Option<Journal>,
    outlets: Outlets,
    effects: GroupEffects,
}

impl Core {
    pub(crate) fn new(
        clock: Clock,
        inbox: Arc<Inbox>,
        groups: BTreeMap<GroupId, Recorded>,
        journal: Option<Journal>,
        outlets: Outlets,
    ) -> Self {
        Self { clock, inbox, groups, journal, outlets, effects: GroupEffects::default() }
    }

    /// Runs until the inbox says stop.
    pub(crate) fn run(mut self) {
        self.settle_all();
        loop {
            let patience = self.clock.until(self.next_timeout());
            let gathered = self.inbox.take(patience);
            if gathered.stop {
                return self.end_journal();
            }
            self.take_in(gathered);
            self.tick();
            self.settle_all();
        }
    }

    fn next_timeout(&self) -> Instant {
        let timeouts = self.groups.values().map(|recorded| recorded.group().next_timeout());
        timeouts.min().unwrap_or(Instant::NEVER)
    }

    /// Hands everything to its group: what is finished first, then what peers say, then what
    /// clients want, all of a group's proposals together.
    fn take_in(&mut self, gathered: Gathered) {
        if gathered.log_failed {
            let ids: Vec<GroupId> = self.groups.keys().copied().collect();
            ids.into_iter().for_each(|group| self.handle(group, Input::PersistFailed));
        }
        for (group, write) in gathered.persisted {
            self.handle(group, Input::Persisted(write));
        }
        for (group, index) in gathered.applied {
            self.handle(group, Input::Applied(index));
        }
        for (group, input) in gathered.completions {
            self.handle(group, input);
        }
        for (group, index) in gathered.flushed {
            self.handle(group, Input::Flushed(index));
        }
        for message in gathered.messages {
            mark_replication(&message.message);
            let input = Input::Receive { from: message.from, message: message.message };
            self.handle(message.group, input);
        }
        for (group, proposals) in gathered.proposals {
            hop::mark("core takes proposals");
            self.handle(group, Input::Propose(proposals));
        }
        for (group, request, deadline) in gathered.reads {
            self.handle(group, Input::Read { request, deadline });
        }
        for (group, request, question, deadline) in gathered.questions {
            self.handle(group, Input::Ask { request, question, deadline });
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        let is_due = |(id, recorded): (&GroupId, &Recorded)| {
            (recorded.group().next_timeout() <= now).then_some(*id)
        };
        let due: Vec<GroupId> = self.groups.iter().filter_map(is_due).collect();
        due.into_iter().for_each(|group| self.handle(group, Input::Tick));
    }

    /// The one door into a group. What concerns a group that this node does not host is dropped:
    /// only a peer that is ahead of this node can name one.
    fn handle(&mut self, group: GroupId, input: Input) {
        if let Some(group) = self.groups.get_mut(&group) {
            group.handle(self.clock.now(), input);
        }
    }

    fn settle_all(&mut self) {
        for (id, group) in &mut self.groups {
            settle(*id, group, &mut self.effects, &self.outlets);
            if let Some(journal) = &mut self.journal {
                journal.write(*id, group.take_recording());
            }
        }
    }

    fn end_journal(&mut self) {
        for (id, group) in &mut self.groups {
            if let Some(journal) = &mut self.journal {
                journal.write(*id, group.end_recording());
            }
        }
    }
}

/// Takes everything out of a group and sends it where it belongs.
fn settle(id: GroupId, group: &mut Recorded, effects: &mut GroupEffects, outlets: &Outlets) {
    loop {
        group.take_effects(effects);
        outlets.route(id, effects);
        let room = outlets.apply.bytes() < APPLY_QUEUE_BYTES_MAX;
        let committed = if room { group.take_committed(APPLY_BATCH_BYTES) } else { Vec::new() };
        if committed.is_empty() {
            break;
        }
        hop::mark("core hands out what is committed");
        outlets.apply_committed(id, committed);
    }
    outlets.board.set_status(id, Status::of(group.group()));
}

/// The messages that one write needs, on their way.
fn mark_replication(message: &GroupMessage) {
    match message {
        GroupMessage::Propose { .. } => hop::mark("core hears a forwarded proposal"),
        GroupMessage::Consensus(message) => match &message.body {
            Body::Append { entries, .. } if !entries.is_empty() => {
                hop::mark("core hears an append")
            }
            Body::Appended { .. } => hop::mark("core hears an acknowledgement"),
            Body::Commit { .. } => hop::mark("core hears of a commit"),
            _ => {}
        },
        _ => {}
    }
}
