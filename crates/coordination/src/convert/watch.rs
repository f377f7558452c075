//! Watch requests and what a watch stream has to say.

use super::{key_range, key_value};
use crate::proto::etcdserverpb as pb;
use crate::proto::mvccpb;
use bytes::Bytes;
use mvccpb::event::EventType;
use pb::watch_create_request::FilterType;
use synod_mvcc::{
    CancelReason, Event, EventAndPrevious, RejectReason, Revision, WatchMessage, WatchRequest,
};

/// The id of a response that concerns no watcher, or the whole stream.
const NO_WATCH_ID: i64 = -1;

/// A watcher as the key space knows it. An empty key stands for the smallest one.
pub(crate) fn watch_request(request: pb::WatchCreateRequest) -> WatchRequest {
    let filtered = |kind: FilterType| request.filters.contains(&i32::from(kind));
    let (no_put, no_delete) = (filtered(FilterType::Noput), filtered(FilterType::Nodelete));
    let key = if request.key.is_empty() { Bytes::from_static(&[0]) } else { request.key };
    WatchRequest {
        id: (request.watch_id != 0).then_some(request.watch_id),
        range: key_range(key, request.range_end),
        start: (request.start_revision != 0).then_some(Revision(request.start_revision)),
        want_previous: request.prev_kv,
        no_put,
        no_delete,
        progress: request.progress_notify,
        fragment: request.fragment,
    }
}

/// A message of a watch stream, for the wire. `header` makes the header at a revision; `now` is the
/// one for messages that are about none.
pub(crate) fn response(
    message: WatchMessage,
    now: Revision,
    header: impl FnOnce(Revision) -> pb::ResponseHeader,
) -> pb::WatchResponse {
    match message {
        WatchMessage::Created { id, revision } => pb::WatchResponse {
            header: Some(header(revision)),
            watch_id: id,
            created: true,
            ..Default::default()
        },
        WatchMessage::Rejected { reason } => pb::WatchResponse {
            header: Some(header(now)),
            watch_id: NO_WATCH_ID,
            created: true,
            canceled: true,
            cancel_reason: rejection(reason).to_owned(),
            ..Default::default()
        },
        WatchMessage::Canceled { id, reason } => canceled(id, reason, Some(header(now))),
        WatchMessage::Events { id, revision, events, fragment } => pb::WatchResponse {
            header: Some(header(revision)),
            watch_id: id,
            fragment,
            events: events.into_iter().map(one).collect(),
            ..Default::default()
        },
        WatchMessage::Progress { id, revision } => pb::WatchResponse {
            header: Some(header(revision)),
            watch_id: id.unwrap_or(NO_WATCH_ID),
            ..Default::default()
        },
    }
}

fn one((event, previous): EventAndPrevious) -> mvccpb::Event {
    let (kind, kv) = match event {
        Event::Put(kv) => (EventType::Put, key_value(kv)),
        Event::Delete { key, revision } => (
            EventType::Delete,
            mvccpb::KeyValue { key, mod_revision: revision.0, ..Default::default() },
        ),
    };
    mvccpb::Event { r#type: kind.into(), kv: Some(kv), prev_kv: previous.map(key_value) }
}

fn canceled(
    id: i64,
    reason: CancelReason,
    header: Option<pb::ResponseHeader>,
) -> pb::WatchResponse {
    let mut response =
        pb::WatchResponse { header, watch_id: id, canceled: true, ..Default::default() };
    match reason {
        CancelReason::Requested => {}
        CancelReason::Compacted { at } => {
            // etcd gives no revision and no text beside the compaction's revision.
            response.header =
                response.header.map(|header| pb::ResponseHeader { revision: 0, ..header });
            response.compact_revision = at.0;
        }
        CancelReason::RevisionTooLarge { revision } => {
            response.cancel_reason = format!(
                "synod: revision {revision} is too large to be sent whole; watch with fragments, or \
                 read the keys and watch from {}",
                revision.next()
            );
        }
    }
    response
}

const fn rejection(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::DuplicateId => "mvcc: duplicate watch ID provided on the WatchStream",
        RejectReason::EmptyRange => "mvcc: watcher range is empty",
        RejectReason::TooManyWatches => {
            "synod: the stream has as many watches as it may have; open another one"
        }
    }
}
