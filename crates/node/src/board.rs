//! What the threads publish for everyone to read: status, state, revisions.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use synod_consensus::{GroupId, LogIndex};
use synod_group::{Group, GroupStatus};
use synod_mvcc::Reader;
use tokio::sync::watch;

/// One notice for each group; the groups are those that the node hosts.
#[derive(Debug)]
pub(crate) struct Board {
    notices: BTreeMap<GroupId, Notice>,
}

/// What the core tells of a group.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) group: GroupStatus,
    /// The first entry that the log still holds, or would hold.
    pub(crate) first_index: LogIndex,
}

impl Status {
    pub(crate) fn of(group: &Group) -> Self {
        Self { group: group.status(), first_index: group.replica().first_index() }
    }
}

#[derive(Debug)]
struct Notice {
    status: RwLock<Status>,
    reader: RwLock<Reader>,
    revision: watch::Sender<u64>,
}

impl Board {
    /// The board of a node that hosts these groups, in these states.
    pub(crate) fn new(groups: impl IntoIterator<Item = (GroupId, Status, Reader)>) -> Self {
        let notice = |(group, status, reader): (GroupId, Status, Reader)| {
            let revision = watch::Sender::new(revision_of(&reader));
            (group, Notice { status: RwLock::new(status), reader: RwLock::new(reader), revision })
        };
        Self { notices: groups.into_iter().map(notice).collect() }
    }

    fn notice(&self, group: GroupId) -> &Notice {
        self.notices.get(&group).expect("callers name hosted groups only")
    }

    /// The hosted groups.
    pub(crate) fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.notices.keys().copied()
    }

    pub(crate) fn hosts(&self, group: GroupId) -> bool {
        self.notices.contains_key(&group)
    }

    pub(crate) fn set_status(&self, group: GroupId, status: Status) {
        *self.notice(group).status.write().unwrap_or_else(PoisonError::into_inner) = status;
    }

    pub(crate) fn with_status<T>(&self, group: GroupId, read: impl FnOnce(&Status) -> T) -> T {
        read(&self.notice(group).status.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The state moved: the reader first, so that whoever hears of a revision finds it.
    pub(crate) fn set_reader(&self, group: GroupId, reader: Reader) {
        let notice = self.notice(group);
        let revision = revision_of(&reader);
        *notice.reader.write().unwrap_or_else(PoisonError::into_inner) = reader;
        notice.revision.send_replace(revision);
    }

    /// The same state, read through a newer view of the engine.
    pub(crate) fn refresh_reader(&self, group: GroupId, reader: Reader) {
        *self.notice(group).reader.write().unwrap_or_else(PoisonError::into_inner) = reader;
    }

    pub(crate) fn reader(&self, group: GroupId) -> Reader {
        self.notice(group).reader.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn revision_changed(&self, group: GroupId) -> watch::Receiver<u64> {
        self.notice(group).revision.subscribe()
    }

    /// How far every group's published state is applied.
    pub(crate) fn applied(&self) -> BTreeMap<GroupId, LogIndex> {
        self.groups().map(|group| (group, self.reader(group).applied())).collect()
    }
}

fn revision_of(reader: &Reader) -> u64 {
    u64::try_from(reader.revision().0).expect("revisions start at 1 and grow")
}
