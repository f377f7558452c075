//! What clients asked, when, and what they were told.

use crate::time::Micros;
use synod_consensus::{LogIndex, Origin};
use synod_group::Outcome;
use synod_mvcc::{Applied, Command, LeaseId, Range, RangeReply, Refusal, Revision};

/// One request of one client.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Which client.
    pub client: usize,
    /// What it asked.
    pub asked: Asked,
    /// When.
    pub invoked: Micros,
    /// When it was told, if it was.
    pub ended: Option<Micros>,
    /// What it was told.
    pub told: Told,
    /// The log position that every operation which ended before this one was invoked had reached.
    pub not_before: LogIndex,
}

/// What a client asked.
#[derive(Clone, Debug)]
pub enum Asked {
    /// To replicate a command.
    Command {
        /// Which.
        command: Command,
        /// The origin it got, if the group took it in.
        origin: Option<Origin>,
    },
    /// To read what is current.
    Read(Range),
    /// To renew a lease.
    Renew(LeaseId),
}

/// What a client was told.
#[derive(Clone, Debug)]
pub enum Told {
    /// Nothing yet.
    Nothing,
    /// What its command did.
    Applied {
        /// Where the command stands in the log.
        index: LogIndex,
        /// What it did.
        applied: Applied,
    },
    /// What it read.
    Read {
        /// Which state it read.
        index: LogIndex,
        /// The newest revision of that state.
        revision: Revision,
        /// What was there.
        reply: Result<RangeReply, Refusal>,
    },
    /// The lease lives this many seconds from the request on, or does not exist.
    Renewed(Option<i64>),
    /// How it ended otherwise.
    Ended(Outcome),
    /// The store that it asked went down.
    ConnectionLost,
}

impl Told {
    /// The log position that the answer shows to have been reached.
    #[must_use]
    pub fn index(&self) -> Option<LogIndex> {
        match self {
            Self::Applied { index, .. } | Self::Read { index, .. } => Some(*index),
            Self::Nothing | Self::Renewed(_) | Self::Ended(_) | Self::ConnectionLost => None,
        }
    }
}

/// Everything that every client asked, in the order it was asked.
#[derive(Clone, Debug, Default)]
pub struct History {
    operations: Vec<Operation>,
    /// The highest position that any answer has shown.
    reached: LogIndex,
}

impl History {
    /// A client asks.
    pub fn invoke(&mut self, client: usize, asked: Asked, now: Micros) -> usize {
        self.operations.push(Operation {
            client,
            asked,
            invoked: now,
            ended: None,
            told: Told::Nothing,
            not_before: self.reached,
        });
        self.operations.len() - 1
    }

    /// A client is told.
    ///
    /// # Panics
    /// If it was told before: every request has one outcome.
    pub fn end(&mut self, operation: usize, told: Told, now: Micros) {
        let it = &mut self.operations[operation];
        assert!(it.ended.is_none(), "operation {operation} has a second outcome: {told:?}, {it:?}");
        self.reached = self.reached.max(told.index().unwrap_or_default());
        it.told = told;
        it.ended = Some(now);
    }

    /// The origin that a proposed command got.
    pub fn named(&mut self, operation: usize, name: Origin) {
        if let Asked::Command { origin, .. } = &mut self.operations[operation].asked {
            *origin = Some(name);
        }
    }

    /// All of them.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }
}
