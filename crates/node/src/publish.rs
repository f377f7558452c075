//! Each node keeps its own record in group 0 current.

use crate::failure::Failure;
use crate::handle::NodeHandle;
use crate::limits::PUBLISH_RETRY_DELAY;
use crate::members::NodeRecord;
use synod_consensus::GroupId;
use synod_mvcc::{Command, KeyRange, Put, Range};
use tokio::time::sleep;
use tracing::debug;

/// Writes what this node says of itself, if the cluster does not know it yet. Putting the same
/// record twice does no harm, so an unknown outcome is simply tried again.
pub(crate) async fn publish_own_record(handle: NodeHandle, own: NodeRecord) {
    while let Err(failure) = publish_once(&handle, &own).await {
        debug!("cannot publish this node's addresses yet: {failure}");
        sleep(PUBLISH_RETRY_DELAY).await;
    }
}

async fn publish_once(handle: &NodeHandle, own: &NodeRecord) -> Result<(), Failure> {
    let (key, value) = (NodeRecord::key(handle.store()), own.encode());
    handle.linearize(GroupId::META).await?;
    let known = handle.reader(GroupId::META).range(&Range::of(KeyRange::single(key.clone())));
    if known.is_ok_and(|known| known.keys.first().is_some_and(|known| known.value == value)) {
        return Ok(());
    }
    let put = Command::Put(Put { key, value, ..Put::default() });
    handle.propose(GroupId::META, &put).await.map(|_| ())
}
