//! What can be asked of a key space, and what it answers.

use crate::{KeyRange, KeyValue, LeaseId, Revision};
use bytes::Bytes;
use synod_consensus::Origin;

/// A replicated command. Applying it is a pure function of the state and the command.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Write one key.
    Put(Put),
    /// Delete keys.
    Delete(Delete),
    /// Compare, then do one of two lists of operations.
    Txn(Txn),
    /// Forget what was superseded at or before this revision.
    Compact {
        /// Stays readable itself.
        revision: Revision,
    },
    /// Create a lease.
    LeaseGrant {
        /// Chosen before the proposal; never 0.
        lease: LeaseId,
        /// What each renewal grants, in seconds.
        ttl_seconds: i64,
    },
    /// End a lease on request, deleting the keys attached to it.
    LeaseRevoke {
        /// Which.
        lease: LeaseId,
    },
    /// End leases that ran out, as judged by the lessor of `epoch`; refused if another epoch has
    /// begun since. Leases that no longer exist are passed over. Each lease that had keys takes
    /// one revision.
    LeaseExpire {
        /// Who judged.
        epoch: u64,
        /// The last grant that the judge knew of, as [`Reply::LeaseGrant`] numbers them. A lease
        /// granted later is passed over: it bears the name of the one that was judged, no more.
        granted_through: u64,
        /// Which, ascending.
        leases: Vec<LeaseId>,
    },
    /// A new leader becomes lessor: the epoch grows by one and belongs to this entry's origin.
    LessorEpoch {
        /// Whose epoch it is: the leader's own proposal id, repeated in the payload.
        claimant: Origin,
    },
}

/// Write one key.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Put {
    /// The key; never empty.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// Attach to this lease; [`LeaseId::NONE`] detaches.
    pub lease: LeaseId,
    /// Answer with what was there before.
    pub want_previous: bool,
    /// Keep the value that is there; the key must exist.
    pub keep_value: bool,
    /// Keep the lease that is there; the key must exist.
    pub keep_lease: bool,
}

/// Delete keys.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Delete {
    /// Which.
    pub range: KeyRange,
    /// Answer with what was there before.
    pub want_previous: bool,
}

/// Read keys.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Range {
    /// Which.
    pub range: KeyRange,
    /// At which revision; `None`, and anything below 1, is the newest.
    pub revision: Option<Revision>,
    /// At most this many; 0 is all.
    pub limit: u64,
    /// Sort by, ascending unless `descending`; `None` is the key.
    pub sort_by: SortBy,
    /// Reverse the sort.
    pub descending: bool,
    /// Leave values out.
    pub keys_only: bool,
    /// Answer with the count alone.
    pub count_only: bool,
    /// Only keys with mod revision within.
    pub mod_revision: RevisionFilter,
    /// Only keys with create revision within.
    pub create_revision: RevisionFilter,
}

impl Range {
    /// Reads all of `range` at the newest revision, in the order of the keys.
    #[must_use]
    pub fn of(range: KeyRange) -> Self {
        Self {
            range,
            revision: None,
            limit: 0,
            sort_by: SortBy::Key,
            descending: false,
            keys_only: false,
            count_only: false,
            mod_revision: RevisionFilter::default(),
            create_revision: RevisionFilter::default(),
        }
    }
}

/// Bounds on a revision, both inclusive; `None` is open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RevisionFilter {
    /// At least.
    pub min: Option<Revision>,
    /// At most.
    pub max: Option<Revision>,
}

/// The order of a range's answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SortBy {
    /// By key: how they are stored.
    #[default]
    Key,
    /// By version.
    Version,
    /// By create revision.
    Create,
    /// By mod revision.
    Mod,
    /// By value.
    Value,
}

/// Compare, then do one of two lists of operations, as one revision.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Txn {
    /// All must hold, judged before any operation of any branch.
    pub compares: Vec<Compare>,
    /// Done if they hold.
    pub success: Vec<TxnOperation>,
    /// Done if one does not.
    pub failure: Vec<TxnOperation>,
}

/// One operation of a transaction's branch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TxnOperation {
    /// Read; sees the writes before it in the transaction.
    Range(Range),
    /// Write.
    Put(Put),
    /// Delete.
    Delete(Delete),
    /// A transaction inside; its compares are judged with the outermost ones, before any write.
    Txn(Txn),
}

/// A condition on every key of a range. On a range without keys it is judged against a key value
/// of zeros, and a comparison of values is false.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Compare {
    /// Which keys.
    pub range: KeyRange,
    /// How.
    pub operator: CompareOperator,
    /// What of them, with what.
    pub target: CompareTarget,
}

/// How a compare relates the key's side to the given one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CompareOperator {
    /// The same.
    Equal,
    /// The key's is greater.
    Greater,
    /// The key's is less.
    Less,
    /// Different.
    NotEqual,
}

/// What is compared, and the given side.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CompareTarget {
    /// The version.
    Version(i64),
    /// The create revision.
    Create(Revision),
    /// The mod revision.
    Mod(Revision),
    /// The value, bytewise.
    Value(Bytes),
    /// The lease.
    Lease(LeaseId),
}

/// What a command did, or why it did nothing. The same on every replica.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Applied {
    /// The key space's revision after the command.
    pub revision: Revision,
    /// The answer.
    pub result: Result<Reply, Refusal>,
}

/// The answer to a command that was carried out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reply {
    /// To a put.
    Put(PutReply),
    /// To a delete.
    Delete(DeleteReply),
    /// To a transaction.
    Txn(TxnReply),
    /// To a compaction.
    Compact,
    /// To a grant.
    LeaseGrant {
        /// Which.
        lease: LeaseId,
        /// What was granted, in seconds: at least [`crate::LEASE_TTL_SECONDS_MIN`].
        ttl_seconds: i64,
        /// Numbers the grants of this key space, from 1.
        grant: u64,
    },
    /// To a revocation or an expiry.
    LeaseEnd {
        /// The leases that ended; an expiry leaves out those that it passed over.
        leases: Vec<LeaseId>,
    },
    /// To a claim of the lessor's epoch.
    LessorEpoch {
        /// The new epoch.
        epoch: u64,
    },
}

/// Answer to a put.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct PutReply {
    /// If it was asked for and there was one.
    pub previous: Option<KeyValue>,
}

/// Answer to a delete.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct DeleteReply {
    /// How many keys are gone.
    pub deleted: u64,
    /// Them, if asked for.
    pub previous: Vec<KeyValue>,
}

/// Answer to a range.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RangeReply {
    /// The keys, in the asked order, at most `limit`.
    pub keys: Vec<KeyValue>,
    /// More keys than the limit matched.
    pub more: bool,
    /// How many keys the range holds at the revision, whatever limit and filters say.
    pub count: u64,
}

/// Answer to a transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct TxnReply {
    /// Which branch was taken.
    pub succeeded: bool,
    /// One answer per operation of that branch.
    pub replies: Vec<TxnOperationReply>,
}

/// Answer to one operation of a transaction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TxnOperationReply {
    /// To a range.
    Range(RangeReply),
    /// To a put.
    Put(PutReply),
    /// To a delete.
    Delete(DeleteReply),
    /// To a transaction.
    Txn(TxnReply),
}

/// Why a command or a read did nothing. A state's own reasons only: certain, and the same on every
/// replica. Texts and codes for clients live in the faces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// The revision is below the compaction.
    Compacted {
        /// The compaction's revision.
        at: Revision,
    },
    /// The revision has not been reached.
    FutureRevision,
    /// `keep_value` or `keep_lease` of a key that is not there.
    KeyNotFound,
    /// The lease does not exist.
    LeaseNotFound,
    /// The lease exists already.
    LeaseExists,
    /// An expiry judged by a lessor whose epoch is over.
    StaleLessor,
    /// A transaction would change one key twice; see [`Txn::check_duplicates`]. Faces check before
    /// they propose, the state checks again: a key has at most one event a revision.
    DuplicateKey,
    /// A key to be written is longer than [`crate::KEY_BYTES_MAX`].
    KeyTooLong,
}
