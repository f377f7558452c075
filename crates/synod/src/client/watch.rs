//! `synod watch`.
//!
//! A watch that loses its member goes on at the next one, from the revision after the last that was
//! printed: nothing is missed and nothing printed twice.

use super::connection::Cluster;
use super::output::{Format, Report, write};
use super::problem::{Kind, Problem};
use super::range::Keys;
use super::{Global, get, text};
use clap::Args;
use serde_json::json;
use std::time::Duration;
use synod_coordination::proto::etcdserverpb::watch_client::WatchClient;
use synod_coordination::proto::etcdserverpb::watch_request::RequestUnion;
use synod_coordination::proto::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use synod_coordination::proto::mvccpb::Event;
use synod_coordination::proto::mvccpb::event::EventType;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Examples for the help.
pub(super) const HELP: &str = "\
Examples:
  synod watch colour                       changes from now on, until interrupted
  synod watch --prefix services/ --from 1  all history that is left, then changes
  synod watch colour --events 1            wait for one change

Prints one change a line: PUT or DELETE, the key, and the value, with tabs between; with -o json one
object a line. Goes on at the next endpoint when a member fails, without missing or repeating any.
Exit code 5: the revision asked for is compacted away; read the keys, and watch from there.";

/// How long to wait before all endpoints are tried once more.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Follow the changes of a key, or of a range of keys.
#[derive(Args, Clone, Debug)]
pub(crate) struct Watch {
    #[command(flatten)]
    keys: Keys,
    /// Begin with this revision; without it, with the next one
    #[arg(long, default_value_t = 0, value_name = "REVISION", hide_default_value = true)]
    from: i64,
    /// Also print what was there before each change
    #[arg(long)]
    previous: bool,
    /// End after this many changes
    #[arg(long, value_name = "COUNT")]
    events: Option<u64>,
}

/// Why following one member ended.
enum End {
    /// Enough was printed, or nobody reads.
    Done,
    /// The member is gone; another may go on.
    Lost(String),
}

impl Watch {
    pub(super) async fn run(
        mut self,
        cluster: &Cluster,
        global: &Global,
    ) -> Result<Report, Problem> {
        let mut request = self.request(global.hex)?;
        for attempt in 0.. {
            // The first failure to connect is told; later ones are waited out.
            match cluster.any(attempt).await {
                Ok(channel) => match self.follow(channel, &mut request, global.output).await? {
                    End::Done => break,
                    End::Lost(reason) => eprintln!("synod: {reason}; going on elsewhere"),
                },
                Err(problem) if attempt == 0 => return Err(problem),
                Err(_) => {}
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        Ok(Report::default())
    }

    fn request(&self, hex: bool) -> Result<WatchCreateRequest, Problem> {
        let span = self.keys.span(hex)?;
        Ok(WatchCreateRequest {
            key: span.key.into(),
            range_end: span.range_end.into(),
            start_revision: self.from,
            prev_kv: self.previous,
            // Whole revisions: half of one would be printed again after a loss.
            fragment: false,
            ..WatchCreateRequest::default()
        })
    }

    /// Prints what one member has to say; keeps in `request` where to go on.
    async fn follow(
        &mut self,
        channel: tonic::transport::Channel,
        request: &mut WatchCreateRequest,
        format: Format,
    ) -> Result<End, Problem> {
        // The sender lives as long as the watch: dropping it would end the client's part.
        let (sender, requests) = mpsc::channel(1);
        let create =
            WatchRequest { request_union: Some(RequestUnion::CreateRequest(request.clone())) };
        sender.try_send(create).expect("the channel is new and has room for one");
        let mut client = WatchClient::new(channel).max_decoding_message_size(usize::MAX);
        let mut responses = match client.watch(ReceiverStream::new(requests)).await {
            Ok(responses) => responses.into_inner(),
            Err(status) => return lost(&status),
        };
        loop {
            match responses.message().await {
                Ok(Some(response)) => {
                    check(&response, request)?;
                    if self.print(&response, request, format) {
                        return Ok(End::Done);
                    }
                }
                Ok(None) => return Ok(End::Lost("the member ended the watch".into())),
                Err(status) => return lost(&status),
            }
        }
    }

    /// Prints the events of a response; whether that is enough.
    fn print(
        &mut self,
        response: &WatchResponse,
        request: &mut WatchCreateRequest,
        format: Format,
    ) -> bool {
        for event in &response.events {
            if write(&line(event, format)).is_err() {
                return true;
            }
            if let Some(events) = &mut self.events {
                *events = events.saturating_sub(1);
                if *events == 0 {
                    return true;
                }
            }
        }
        request.start_revision = resume_at(request.start_revision, response);
        false
    }
}

/// Where to go on if the member is lost behind `response`, given where it would have been before:
/// behind the last event, or, for a watch from now on, behind the revision that it was created at.
fn resume_at(start: i64, response: &WatchResponse) -> i64 {
    let told = response.events.last().and_then(|event| event.kv.as_ref());
    match (told, &response.header) {
        (Some(kv), _) => kv.mod_revision + 1,
        (None, Some(header)) if start == 0 && response.created => header.revision + 1,
        _ => start,
    }
}

/// A cancelled watch does not come back.
fn check(response: &WatchResponse, request: &WatchCreateRequest) -> Result<(), Problem> {
    if !response.canceled {
        return Ok(());
    }
    if response.compact_revision != 0 {
        let (start, oldest) = (request.start_revision, response.compact_revision);
        return Err(Problem::Refused(format!(
            "history before revision {oldest} is gone, and revision {start} with it; read the \
             keys, then watch with --from {oldest} or later"
        )));
    }
    Err(Problem::Refused(response.cancel_reason.clone()))
}

fn lost(status: &Status) -> Result<End, Problem> {
    match Problem::of(status, Kind::Read) {
        Problem::Unavailable(reason) => Ok(End::Lost(reason)),
        problem => Err(problem),
    }
}

/// One change, for one line of output.
fn line(event: &Event, format: Format) -> Vec<u8> {
    let name = if event.r#type() == EventType::Delete { "DELETE" } else { "PUT" };
    let kv = event.kv.clone().unwrap_or_default();
    match format {
        Format::Json => {
            let previous = event.prev_kv.as_ref().map(get::object);
            let mut json = json!({ "event": name, "key_value": get::object(&kv) });
            if let Some(previous) = previous {
                json["previous"] = previous;
            }
            format!("{json}\n").into_bytes()
        }
        Format::Table => {
            let (key, value) = (text::readable(&kv.key), text::readable(&kv.value));
            let before = previous_text(event);
            format!("{:>10}  {name:<6}  {key}  {value}{before}\n", kv.mod_revision).into_bytes()
        }
        Format::Plain => {
            let before = event.prev_kv.as_ref().map(|kv| [b"\t", &kv.value[..]].concat());
            let before = before.unwrap_or_default();
            [name.as_bytes(), b"\t", &kv.key, b"\t", &kv.value, &before, b"\n"].concat()
        }
    }
}

fn previous_text(event: &Event) -> String {
    let previous = event.prev_kv.as_ref();
    previous.map_or_else(String::new, |kv| format!("  (was {})", text::readable(&kv.value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use synod_coordination::proto::etcdserverpb::ResponseHeader;
    use synod_coordination::proto::mvccpb::KeyValue;

    fn response(created: bool, revision: i64, events: &[i64]) -> WatchResponse {
        let event = |&mod_revision: &i64| Event {
            kv: Some(KeyValue { key: "k".into(), mod_revision, ..KeyValue::default() }),
            ..Event::default()
        };
        WatchResponse {
            header: Some(ResponseHeader { revision, ..ResponseHeader::default() }),
            created,
            events: events.iter().map(event).collect(),
            ..WatchResponse::default()
        }
    }

    #[test]
    fn a_lost_watch_goes_on_behind_the_last_event_and_misses_none() {
        assert_eq!(resume_at(0, &response(true, 9, &[])), 10);
        assert_eq!(resume_at(3, &response(true, 9, &[])), 3, "history was not told yet");
        assert_eq!(resume_at(3, &response(false, 9, &[3, 5])), 6);
        assert_eq!(resume_at(6, &response(false, 9, &[])), 6, "progress may be of another watch");
    }

    #[test]
    fn a_change_is_one_line_in_each_format() {
        let event = Event {
            kv: Some(KeyValue { key: "k".into(), value: "v".into(), ..KeyValue::default() }),
            prev_kv: Some(KeyValue { value: "old".into(), ..KeyValue::default() }),
            ..Event::default()
        };
        assert_eq!(line(&event, Format::Plain), b"PUT\tk\tv\told\n");
        let json: serde_json::Value = serde_json::from_slice(&line(&event, Format::Json)).unwrap();
        assert_eq!((&json["event"], &json["previous"]["value"]), (&"PUT".into(), &"old".into()));
    }
}
