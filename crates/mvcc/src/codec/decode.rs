//! Reading commands, field by field. Keys and values share the entry's bytes.

use super::{
    COMMAND_VERSION, command_tag, flag, operation_tag, operator_tag, range_end_tag, sort_tag,
    target_tag,
};
use crate::{
    Command, Compare, CompareOperator, CompareTarget, Delete, KeyRange, LeaseId, Put, Range,
    RangeEnd, Revision, RevisionFilter, SortBy, TXN_DEPTH_MAX, Txn, TxnOperation,
};
use bytes::Bytes;
use synod_codec::{DecodeError, Reader};
use synod_consensus::{Origin, StoreId};

impl Command {
    /// Reads a log entry's payload. An error means that the payload is damaged or of a later
    /// version: the replica must stop, since the others may well carry the command out.
    pub fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let version = reader.u8()?;
        if version != COMMAND_VERSION {
            return Err(DecodeError::UnknownTag("command version", version.into()));
        }
        let command = read_command(&mut reader)?;
        reader.finish()?;
        Ok(command)
    }
}

fn read_command(reader: &mut Reader) -> Result<Command, DecodeError> {
    Ok(match reader.u8()? {
        command_tag::PUT => Command::Put(read_put(reader)?),
        command_tag::DELETE => Command::Delete(read_delete(reader)?),
        command_tag::TXN => Command::Txn(read_txn(reader, 1)?),
        command_tag::COMPACT => Command::Compact { revision: Revision(reader.signed()?) },
        command_tag::LEASE_GRANT => read_grant(reader)?,
        command_tag::LEASE_REVOKE => Command::LeaseRevoke { lease: read_lease(reader)? },
        command_tag::LEASE_EXPIRE => Command::LeaseExpire {
            epoch: reader.varint()?,
            granted_through: reader.varint()?,
            leases: read_all(reader, "leases", read_lease)?,
        },
        command_tag::LESSOR_EPOCH => Command::LessorEpoch { claimant: read_origin(reader)? },
        other => return Err(DecodeError::UnknownTag("command", other.into())),
    })
}

/// A count, and so many items. Nothing is reserved ahead: an item is larger than its first byte.
fn read_all<T>(
    reader: &mut Reader,
    field: &'static str,
    mut read: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = reader.count(field)?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(read(reader)?);
    }
    Ok(items)
}

/// A byte of flags, none of them outside `all`.
fn read_flags(reader: &mut Reader, all: u8) -> Result<u8, DecodeError> {
    let flags = reader.u8()?;
    if flags & !all != 0 {
        return Err(DecodeError::UnknownTag("flags", flags.into()));
    }
    Ok(flags)
}

fn read_lease(reader: &mut Reader) -> Result<LeaseId, DecodeError> {
    reader.signed().map(LeaseId)
}

fn read_grant(reader: &mut Reader) -> Result<Command, DecodeError> {
    let lease = read_lease(reader)?;
    if lease == LeaseId::NONE {
        return Err(DecodeError::Invalid("a grant of lease 0, which means no lease"));
    }
    Ok(Command::LeaseGrant { lease, ttl_seconds: reader.signed()? })
}

fn read_origin(reader: &mut Reader) -> Result<Origin, DecodeError> {
    Ok(Origin {
        store: StoreId(reader.u64()?),
        incarnation: reader.varint()?,
        sequence: reader.varint()?,
    })
}

fn read_put(reader: &mut Reader) -> Result<Put, DecodeError> {
    let flags = read_flags(reader, flag::PUT_ALL)?;
    Ok(Put {
        lease: read_lease(reader)?,
        key: reader.bytes()?,
        value: reader.bytes()?,
        want_previous: flags & flag::WANT_PREVIOUS != 0,
        keep_value: flags & flag::KEEP_VALUE != 0,
        keep_lease: flags & flag::KEEP_LEASE != 0,
    })
}

fn read_delete(reader: &mut Reader) -> Result<Delete, DecodeError> {
    Ok(Delete { want_previous: reader.bool()?, range: read_key_range(reader)? })
}

fn read_key_range(reader: &mut Reader) -> Result<KeyRange, DecodeError> {
    let tag = reader.u8()?;
    let start = reader.bytes()?;
    let end = match tag {
        range_end_tag::SINGLE => RangeEnd::Single,
        range_end_tag::BEFORE => RangeEnd::Before(reader.bytes()?),
        range_end_tag::UNBOUNDED => RangeEnd::Unbounded,
        other => return Err(DecodeError::UnknownTag("range end", other.into())),
    };
    Ok(KeyRange { start, end })
}

fn read_range(reader: &mut Reader) -> Result<Range, DecodeError> {
    let range = read_key_range(reader)?;
    let flags = read_flags(reader, flag::RANGE_ALL)?;
    Ok(Range {
        range,
        descending: flags & flag::DESCENDING != 0,
        keys_only: flags & flag::KEYS_ONLY != 0,
        count_only: flags & flag::COUNT_ONLY != 0,
        sort_by: read_sort_by(reader)?,
        limit: reader.varint()?,
        revision: read_revision(reader)?,
        mod_revision: read_filter(reader)?,
        create_revision: read_filter(reader)?,
    })
}

fn read_sort_by(reader: &mut Reader) -> Result<SortBy, DecodeError> {
    Ok(match reader.u8()? {
        sort_tag::KEY => SortBy::Key,
        sort_tag::VERSION => SortBy::Version,
        sort_tag::CREATE => SortBy::Create,
        sort_tag::MOD => SortBy::Mod,
        sort_tag::VALUE => SortBy::Value,
        other => return Err(DecodeError::UnknownTag("sort", other.into())),
    })
}

fn read_filter(reader: &mut Reader) -> Result<RevisionFilter, DecodeError> {
    Ok(RevisionFilter { min: read_revision(reader)?, max: read_revision(reader)? })
}

fn read_revision(reader: &mut Reader) -> Result<Option<Revision>, DecodeError> {
    Ok(if reader.bool()? { Some(Revision(reader.signed()?)) } else { None })
}

/// `depth` counts this transaction and those around it.
fn read_txn(reader: &mut Reader, depth: usize) -> Result<Txn, DecodeError> {
    if depth > TXN_DEPTH_MAX {
        return Err(DecodeError::OverLimit("depth of a transaction", depth as u64));
    }
    Ok(Txn {
        compares: read_all(reader, "compares", read_compare)?,
        success: read_all(reader, "operations", |reader| read_operation(reader, depth))?,
        failure: read_all(reader, "operations", |reader| read_operation(reader, depth))?,
    })
}

fn read_operation(reader: &mut Reader, depth: usize) -> Result<TxnOperation, DecodeError> {
    Ok(match reader.u8()? {
        operation_tag::RANGE => TxnOperation::Range(read_range(reader)?),
        operation_tag::PUT => TxnOperation::Put(read_put(reader)?),
        operation_tag::DELETE => TxnOperation::Delete(read_delete(reader)?),
        operation_tag::TXN => TxnOperation::Txn(read_txn(reader, depth + 1)?),
        other => return Err(DecodeError::UnknownTag("operation", other.into())),
    })
}

fn read_compare(reader: &mut Reader) -> Result<Compare, DecodeError> {
    let range = read_key_range(reader)?;
    let operator = match reader.u8()? {
        operator_tag::EQUAL => CompareOperator::Equal,
        operator_tag::GREATER => CompareOperator::Greater,
        operator_tag::LESS => CompareOperator::Less,
        operator_tag::NOT_EQUAL => CompareOperator::NotEqual,
        other => return Err(DecodeError::UnknownTag("operator", other.into())),
    };
    let target = match reader.u8()? {
        target_tag::VERSION => CompareTarget::Version(reader.signed()?),
        target_tag::CREATE => CompareTarget::Create(Revision(reader.signed()?)),
        target_tag::MOD => CompareTarget::Mod(Revision(reader.signed()?)),
        target_tag::VALUE => CompareTarget::Value(reader.bytes()?),
        target_tag::LEASE => CompareTarget::Lease(read_lease(reader)?),
        other => return Err(DecodeError::UnknownTag("compare target", other.into())),
    };
    Ok(Compare { range, operator, target })
}
