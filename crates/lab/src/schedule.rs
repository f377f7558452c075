//! What will happen when: one queue for the whole cluster, ordered by time and then by arrival.

use crate::network::Place;
use crate::time::Micros;
use bytes::Bytes;
use std::collections::BTreeMap;
use synod_consensus::GroupId;

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message arrives.
    Deliver {
        /// Where.
        to: Place,
        /// From where.
        from: Place,
        /// For which group.
        group: GroupId,
        /// The message as bytes.
        bytes: Bytes,
    },
    /// A store's earliest timer is due.
    Timer(Place),
    /// A sync ends; the number is the store's incarnation when it began.
    Synced(Place, u64),
    /// An entry is applied; likewise.
    Apply(Place, u64, GroupId),
    /// A store flushes, scrubs and reclaims; likewise.
    Maintain(Place, u64),
    /// A store starts again.
    Restart(Place),
    /// A store that was just elected loses its power; the number is its incarnation.
    CrashLeader(Place, u64),
    /// A client asks its next question.
    Client(usize),
    /// A watcher looks what is new.
    Watcher(usize),
    /// The next fault.
    Fault,
    /// A partition ends.
    Heal,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Schedule {
    events: BTreeMap<(Micros, u64), Event>,
    added: u64,
}

impl Schedule {
    /// Something will happen at `at`.
    pub fn add(&mut self, at: Micros, event: Event) {
        self.added += 1;
        self.events.insert((at, self.added), event);
    }

    /// The next thing to happen.
    pub fn next(&mut self) -> Option<(Micros, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}
