//! What one node may choose about a key space, and the faults that only the laboratory plants.

/// What a key space keeps in memory, and how it is told to fail. Nothing here changes an answer,
/// unless a bug is planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeySpaceOptions {
    /// Recent events are kept for watchers up to about this many bytes.
    pub recent_events_bytes_max: usize,
    /// Current key values are kept for the next write of the same key up to about this many bytes.
    pub latest_bytes_max: usize,
    /// A fault to be found by the laboratory's checkers; `None` everywhere else.
    pub planted_bug: Option<KeySpaceBug>,
}

/// A few seconds of writes at full speed, so that a watcher that keeps up never reads the engine;
/// small enough that hundreds of groups fit in one node.
const RECENT_EVENTS_BYTES_MAX: usize = 8 << 20;

/// Enough for the keys that are written over and over; the others cost one lookup.
const LATEST_BYTES_MAX: usize = 4 << 20;

impl Default for KeySpaceOptions {
    fn default() -> Self {
        Self {
            recent_events_bytes_max: RECENT_EVENTS_BYTES_MAX,
            latest_bytes_max: LATEST_BYTES_MAX,
            planted_bug: None,
        }
    }
}

/// Faults that a correct checker must find. Run-time switches, so that the tested binary is the
/// one that ships; only the laboratory and the tests ever set one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeySpaceBug {
    /// After a restart the last applied entry is applied again, as if the applied index had not
    /// been in the same batch as the data.
    ApplyTwiceAfterReplay,
    /// A compaction drops the events at its own revision, too.
    DropEventAtCompaction,
    /// A scrub drops the newest version of a key, if it is as old as the compaction or older.
    ScrubDropsNewestVersion,
    /// An expiry is carried out whoever judged it, and whatever was granted since.
    IgnoreLessorEpoch,
    /// A put without lease leaves the key attached to the one it had.
    PutKeepsAttachment,
}
