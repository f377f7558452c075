//! What a replica cannot survive: it stops and says why, rather than differ from the others.

use std::fmt;
use synod_codec::DecodeError;
use synod_consensus::{GroupId, LogIndex};
use synod_storage::{EngineError, Generation};

/// The key space cannot go on. Final: whoever gets it stops this replica and keeps its data as it
/// is; the other replicas are not concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fatal {
    /// The engine failed.
    Engine(String),
    /// What the engine holds is not what a key space writes.
    Corrupt(String),
    /// An entry's command is of a later version, or damaged.
    UnknownCommand {
        /// Where in the log.
        index: LogIndex,
        /// What could not be read.
        cause: DecodeError,
    },
    /// The state was written by another version of Synod.
    UnknownFormat {
        /// The format's version on disk.
        found: u64,
    },
    /// The state holds prepared writes, which this version cannot resolve.
    IntentsPresent {
        /// How many.
        count: u64,
    },
    /// Records without the state record that every complete generation has.
    IncompleteGeneration {
        /// Of which group.
        group: GroupId,
        /// Which generation.
        generation: Generation,
    },
}

impl Fatal {
    /// A record that is not as it was written.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }
}

impl From<EngineError> for Fatal {
    fn from(error: EngineError) -> Self {
        Self::Engine(error.0)
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(cause) => write!(
                f,
                "the key space stopped since its engine failed ({cause}); check the disk, then restart the node"
            ),
            Self::Corrupt(what) => write!(
                f,
                "the key space stopped since its data is damaged ({what}); replace this replica from its peers"
            ),
            Self::UnknownCommand { index, cause } => write!(
                f,
                "the key space stopped before entry {index}, which this version cannot read ({cause}); upgrade this node"
            ),
            Self::UnknownFormat { found } => write!(
                f,
                "the key space was written in format {found}, which this version does not know; start the version that wrote it"
            ),
            Self::IntentsPresent { count } => write!(
                f,
                "the key space holds {count} prepared writes, which this version cannot resolve; start the version that wrote them"
            ),
            Self::IncompleteGeneration { group, generation } => write!(
                f,
                "generation {generation} of group {group} was never completed; drop it and take a snapshot anew"
            ),
        }
    }
}

impl std::error::Error for Fatal {}
