//! Writing commands, field by field.

use super::{
    COMMAND_VERSION, command_tag, flag, operation_tag, operator_tag, range_end_tag, sort_tag,
    target_tag,
};
use crate::{
    Command, Compare, CompareOperator, CompareTarget, Delete, KeyRange, LeaseId, Put, Range,
    RangeEnd, Revision, RevisionFilter, SortBy, TXN_DEPTH_MAX, Txn, TxnOperation,
};
use bytes::Bytes;
use synod_codec::Writer;
use synod_consensus::Origin;

/// Room for everything in a put but its key and value.
const PUT_OVERHEAD_BYTES: usize = 24;

impl Command {
    /// The payload of a log entry.
    ///
    /// # Panics
    /// On what no face may propose: a grant of lease 0, or a transaction nested deeper than
    /// [`TXN_DEPTH_MAX`]. Such a command must not get into a log, where every replica would meet it.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(self.capacity_bytes());
        writer.u8(COMMAND_VERSION);
        write_command(&mut writer, self);
        writer.into_bytes()
    }

    /// A first guess at the encoded length, right for the commonest command.
    fn capacity_bytes(&self) -> usize {
        match self {
            Self::Put(put) => put.key.len() + put.value.len() + PUT_OVERHEAD_BYTES,
            _ => 128,
        }
    }
}

fn write_command(writer: &mut Writer, command: &Command) {
    match command {
        Command::Put(put) => write_put(writer.u8(command_tag::PUT), put),
        Command::Delete(delete) => write_delete(writer.u8(command_tag::DELETE), delete),
        Command::Txn(txn) => {
            assert!(txn.depth() <= TXN_DEPTH_MAX, "a transaction nests deeper than the format");
            write_txn(writer.u8(command_tag::TXN), txn);
        }
        Command::Compact { revision } => {
            writer.u8(command_tag::COMPACT).signed(revision.0);
        }
        Command::LeaseGrant { lease, ttl_seconds } => {
            assert!(*lease != LeaseId::NONE, "lease 0 means no lease and cannot be granted");
            writer.u8(command_tag::LEASE_GRANT).signed(lease.0).signed(*ttl_seconds);
        }
        Command::LeaseRevoke { lease } => {
            writer.u8(command_tag::LEASE_REVOKE).signed(lease.0);
        }
        Command::LeaseExpire { epoch, granted_through, leases } => {
            writer.u8(command_tag::LEASE_EXPIRE).varint(*epoch).varint(*granted_through);
            write_all(writer, leases, |writer, lease| {
                writer.signed(lease.0);
            });
        }
        Command::LessorEpoch { claimant } => {
            let Origin { store, incarnation, sequence } = *claimant;
            writer.u8(command_tag::LESSOR_EPOCH).u64(store.0).varint(incarnation).varint(sequence);
        }
    }
}

/// A count, and each item.
fn write_all<T>(writer: &mut Writer, items: &[T], write: impl Fn(&mut Writer, &T)) {
    writer.varint(items.len() as u64);
    for item in items {
        write(writer, item);
    }
}

/// `bit` if `set`.
fn bit(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

fn write_put(writer: &mut Writer, put: &Put) {
    let flags = bit(put.want_previous, flag::WANT_PREVIOUS)
        | bit(put.keep_value, flag::KEEP_VALUE)
        | bit(put.keep_lease, flag::KEEP_LEASE);
    writer.u8(flags).signed(put.lease.0).bytes(&put.key).bytes(&put.value);
}

fn write_delete(writer: &mut Writer, delete: &Delete) {
    writer.bool(delete.want_previous);
    write_key_range(writer, &delete.range);
}

fn write_key_range(writer: &mut Writer, range: &KeyRange) {
    match &range.end {
        RangeEnd::Single => writer.u8(range_end_tag::SINGLE).bytes(&range.start),
        RangeEnd::Before(end) => writer.u8(range_end_tag::BEFORE).bytes(&range.start).bytes(end),
        RangeEnd::Unbounded => writer.u8(range_end_tag::UNBOUNDED).bytes(&range.start),
    };
}

fn write_range(writer: &mut Writer, range: &Range) {
    write_key_range(writer, &range.range);
    let flags = bit(range.descending, flag::DESCENDING)
        | bit(range.keys_only, flag::KEYS_ONLY)
        | bit(range.count_only, flag::COUNT_ONLY);
    writer.u8(flags).u8(sort_tag_of(range.sort_by)).varint(range.limit);
    write_revision(writer, range.revision);
    write_filter(writer, range.mod_revision);
    write_filter(writer, range.create_revision);
}

fn sort_tag_of(sort_by: SortBy) -> u8 {
    match sort_by {
        SortBy::Key => sort_tag::KEY,
        SortBy::Version => sort_tag::VERSION,
        SortBy::Create => sort_tag::CREATE,
        SortBy::Mod => sort_tag::MOD,
        SortBy::Value => sort_tag::VALUE,
    }
}

fn write_filter(writer: &mut Writer, filter: RevisionFilter) {
    write_revision(writer, filter.min);
    write_revision(writer, filter.max);
}

fn write_revision(writer: &mut Writer, revision: Option<Revision>) {
    match revision {
        None => writer.bool(false),
        Some(revision) => writer.bool(true).signed(revision.0),
    };
}

fn write_txn(writer: &mut Writer, txn: &Txn) {
    write_all(writer, &txn.compares, write_compare);
    write_all(writer, &txn.success, write_operation);
    write_all(writer, &txn.failure, write_operation);
}

fn write_operation(writer: &mut Writer, operation: &TxnOperation) {
    match operation {
        TxnOperation::Range(range) => write_range(writer.u8(operation_tag::RANGE), range),
        TxnOperation::Put(put) => write_put(writer.u8(operation_tag::PUT), put),
        TxnOperation::Delete(delete) => write_delete(writer.u8(operation_tag::DELETE), delete),
        TxnOperation::Txn(txn) => write_txn(writer.u8(operation_tag::TXN), txn),
    }
}

fn write_compare(writer: &mut Writer, compare: &Compare) {
    write_key_range(writer, &compare.range);
    writer.u8(match compare.operator {
        CompareOperator::Equal => operator_tag::EQUAL,
        CompareOperator::Greater => operator_tag::GREATER,
        CompareOperator::Less => operator_tag::LESS,
        CompareOperator::NotEqual => operator_tag::NOT_EQUAL,
    });
    match &compare.target {
        CompareTarget::Version(version) => writer.u8(target_tag::VERSION).signed(*version),
        CompareTarget::Create(revision) => writer.u8(target_tag::CREATE).signed(revision.0),
        CompareTarget::Mod(revision) => writer.u8(target_tag::MOD).signed(revision.0),
        CompareTarget::Value(value) => writer.u8(target_tag::VALUE).bytes(value),
        CompareTarget::Lease(lease) => writer.u8(target_tag::LEASE).signed(lease.0),
    };
}
