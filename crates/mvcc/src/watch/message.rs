//! What a client asks of a watch stream, and what it is told.

use crate::{EventAndPrevious, KeyRange, RangeEnd, Revision};

/// A watch to be created.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchRequest {
    /// Its name on this stream; `None` lets the stream choose, from 0 up.
    pub id: Option<i64>,
    /// Which keys.
    pub range: KeyRange,
    /// From which revision on; `None` is everything after now.
    pub start: Option<Revision>,
    /// Tell what the key was before each event, as far as it is not compacted.
    pub want_previous: bool,
    /// Leave puts out.
    pub no_put: bool,
    /// Leave deletions out.
    pub no_delete: bool,
    /// Tell the revision from time to time when there are no events.
    pub progress: bool,
    /// A revision may be told in several messages.
    pub fragment: bool,
}

impl WatchRequest {
    /// A watch of `range` from now on, without anything special.
    #[must_use]
    pub fn new(range: KeyRange) -> Self {
        Self {
            id: None,
            range,
            start: None,
            want_previous: false,
            no_put: false,
            no_delete: false,
            progress: false,
            fragment: false,
        }
    }

    /// Whether no key can ever lie within its range.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.range.end, RangeEnd::Before(end) if *end <= self.range.start)
    }
}

/// What a client is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchMessage {
    /// A watch was created; its events follow.
    Created {
        /// Which.
        id: i64,
        /// The newest revision when it was.
        revision: Revision,
    },
    /// A watch was not created.
    Rejected {
        /// Why.
        reason: RejectReason,
    },
    /// A watch has ended; nothing more of it follows.
    Canceled {
        /// Which.
        id: i64,
        /// Why.
        reason: CancelReason,
    },
    /// What happened.
    Events {
        /// To which watch.
        id: i64,
        /// Everything up to the last event's revision was told, and nothing behind it; so the
        /// revision of the last event.
        revision: Revision,
        /// In order; never empty.
        events: Vec<EventAndPrevious>,
        /// The rest of the last event's revision follows in the next message of this watch.
        fragment: bool,
    },
    /// Everything up to `revision` was told.
    Progress {
        /// To which watch; `None` is every one of the stream.
        id: Option<i64>,
        /// Up to where.
        revision: Revision,
    },
}

/// Why a watch was not created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RejectReason {
    /// Another watch of the stream has that id.
    DuplicateId,
    /// No key can lie within the range.
    EmptyRange,
    /// The stream has as many watches as it may have: see [`WatchLimits::watches_max`].
    TooManyWatches,
}

/// Why a watch has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CancelReason {
    /// The client wanted it.
    Requested,
    /// It needs events that are compacted.
    Compacted {
        /// The compaction's revision: the oldest that a watch can start at.
        at: Revision,
    },
    /// A revision has more bytes of wanted events than may be told at once, and the client did not
    /// allow fragments: see [`WatchLimits::revision_bytes_max`].
    RevisionTooLarge {
        /// Which revision.
        revision: Revision,
    },
}

/// What there is to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchPoll {
    /// This, now.
    Message(WatchMessage),
    /// Nothing yet, but a watch is still reading what happened long ago: let others run, then poll
    /// again.
    Busy,
    /// Nothing until the reader's revision grows, or a request comes.
    Idle,
}

/// What bounds a stream's memory and the time that one poll takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchLimits {
    /// Watches of one stream.
    pub watches_max: usize,
    /// A message ends between revisions (or anywhere, in fragments) at about so many bytes.
    pub message_bytes_max: usize,
    /// A message may still grow to so many bytes to tell one revision whole.
    pub revision_bytes_max: usize,
    /// One poll looks at about so many events, wanted or not.
    pub examined_max: usize,
    /// Matches of events and watches that are prepared at once for the watches in step.
    pub matches_max: usize,
}

impl Default for WatchLimits {
    /// A million watches would be served, but no client holds so many by intent; messages are as
    /// large as etcd's requests; clients that take no fragments must expect what one revision can
    /// hold; a thousand events are looked at in about a millisecond; the matches take a megabyte.
    fn default() -> Self {
        Self {
            watches_max: 1_000_000,
            message_bytes_max: 3 << 19,
            revision_bytes_max: 64 << 20,
            examined_max: 1000,
            matches_max: 1 << 16,
        }
    }
}
