//! What the log's thread says, and when: on a simulated disk whose operations are counted.

use super::*;
use std::sync::Mutex;
use synod_consensus::{Ballot, HardState, LogIndex, Membership, SnapshotMeta, StoreId};
use synod_group::GroupMessage;
use synod_storage::{CrashPolicy, Disk, GroupLog, LogIdentity, LogOptions, SimDisk};

const GROUP: GroupId = GroupId::DEFAULT;

fn open(disk: &SimDisk) -> (Log, BTreeMap<GroupId, GroupLog>) {
    let identity = LogIdentity { store: StoreId(1), seed: 1 };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Log::open(disk, "log", LogOptions::default(), identity).unwrap()
}

/// A log that knows the group, so that any record may follow.
fn prepared() -> SimDisk {
    let disk = SimDisk::new(7);
    let (mut log, _) = open(&disk);
    let membership = Membership::of_voters([StoreId(1)]);
    let meta = SnapshotMeta { index: LogIndex::ZERO, ballot: Ballot::ZERO, membership };
    log.append(&[Record::Install(GROUP, meta, 1)]).unwrap();
    log.sync().unwrap();
    disk
}

fn hard_state(round: u64) -> HardState {
    HardState { promised: Ballot::new(round, StoreId(1)), committed: LogIndex::ZERO }
}

fn write(id: u64, must_sync: bool, respond: bool) -> LogTask {
    let response = Outgoing { to: StoreId(2), message: GroupMessage::SnapshotGone { session: id } };
    let write = LogWrite {
        id: WriteId(id),
        records: vec![Record::HardState(GROUP, hard_state(id))],
        must_sync,
        responses: if respond { vec![response] } else { Vec::new() },
    };
    LogTask { group: GROUP, write, bytes: RECORD_BYTES }
}

struct World {
    thread: LogThread,
    disk: SimDisk,
    unsynced: Unsynced,
    /// The promise that a crash would leave on the disk when a response left.
    durable_when_sent: Arc<Mutex<Vec<u64>>>,
}

impl World {
    fn new() -> Self {
        let disk = prepared();
        let (log, _) = open(&disk);
        let durable_when_sent = Arc::new(Mutex::new(Vec::new()));
        let (sent, crashing) = (Arc::clone(&durable_when_sent), disk.clone());
        let sender = Sender::to_test(move |_, _| sent.lock().unwrap().push(durable(&crashing)));
        let queue = Arc::new(Queue::default());
        let (inbox, stopping) = (Arc::new(Inbox::default()), Stopping::new());
        let thread = LogThread { log, queue, inbox, sender, stopping };
        Self { thread, disk, unsynced: Unsynced::default(), durable_when_sent }
    }

    fn work(&mut self, tasks: Vec<LogTask>) -> Result<(), LogError> {
        let bytes = tasks.iter().map(|task| task.bytes).sum::<usize>();
        // The weight that the core gave to the queue, which the thread gives back.
        self.thread.queue.push(write(u64::MAX, false, false), bytes);
        self.thread.work(tasks, &mut self.unsynced)
    }

    fn persisted(&self) -> Option<WriteId> {
        self.thread.inbox.completion(GROUP, synod_group::Input::Tick);
        self.thread.inbox.take(None).persisted.get(&GROUP).copied()
    }

    fn sent(&self) -> Vec<u64> {
        self.durable_when_sent.lock().unwrap().clone()
    }
}

/// What a restart would find after the worst power loss, right now.
fn durable(disk: &SimDisk) -> u64 {
    let after = disk.fork();
    after.crash(CrashPolicy::LoseAll);
    open(&after).1[&GROUP].hard_state.promised.round
}

#[test]
fn a_response_leaves_only_once_a_crash_could_not_take_its_write_back() {
    let mut world = World::new();
    world.work(vec![write(1, true, true)]).unwrap();
    world.work(vec![write(2, true, false), write(3, true, true)]).unwrap();
    assert_eq!(world.sent(), [1, 3]);
    assert_eq!(world.persisted(), Some(WriteId(3)));
}

#[test]
fn a_response_forces_a_sync_whatever_its_write_says() {
    let mut world = World::new();
    world.work(vec![write(1, false, true)]).unwrap();
    assert_eq!(world.sent(), [1]);
}

#[test]
fn a_write_that_nobody_waits_for_goes_along_with_the_next() {
    let mut world = World::new();
    world.work(vec![write(1, false, false)]).unwrap();
    assert_eq!(world.persisted(), None, "it is not durable");
    assert_eq!(durable(&world.disk), 0);
    world.work(vec![write(2, true, false)]).unwrap();
    assert_eq!(world.persisted(), Some(WriteId(2)));
    assert_eq!(durable(&world.disk), 2);
}

#[test]
fn many_writes_share_one_sync() {
    let mut world = World::new();
    let before = world.disk.operations();
    world.work((1..=50).map(|id| write(id, true, true)).collect()).unwrap();
    assert_eq!(world.disk.operations() - before, 2, "one write, one sync");
    assert_eq!(world.sent(), [50; 50]);
}

#[test]
fn after_a_failed_sync_nothing_is_said_and_the_node_stops_with_the_reason() {
    let world = World::new();
    world.disk.fail_next_sync();
    let (queue, inbox) = (Arc::clone(&world.thread.queue), Arc::clone(&world.thread.inbox));
    let (stopping, sent) = (world.thread.stopping.clone(), Arc::clone(&world.durable_when_sent));
    let task = write(1, true, true);
    let bytes = task.bytes;
    queue.push(task, bytes);
    // It returns by itself: the failure ends the thread, the queue stays open.
    world.thread.run();
    let gathered = inbox.take(None);
    assert!(gathered.log_failed && gathered.persisted.is_empty());
    assert_eq!(*sent.lock().unwrap(), [0u64; 0]);
    assert!(matches!(stopping.reason(), Some(StopReason::Disk(_))));
}

#[test]
fn a_full_disk_is_told_as_such() {
    let mut world = World::new();
    world.disk.set_capacity_bytes(Some(0));
    let error = world.work(vec![write(1, true, true)]).unwrap_err();
    assert!(matches!(error, LogError::Full { .. }), "{error}");
    assert!(world.sent().is_empty());
}
