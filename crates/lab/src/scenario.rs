//! What one run is: drawn from its seed, so that the seed alone names it.
//!
//! Each seed draws its own mix of faults, and many draw few: a bug that one fault hides is found
//! by the runs without it (swarm testing; Groce et al., 2012).

use crate::network::{LinkFaults, Network};
use crate::random::Random;
use crate::time::{MILLISECOND, SECOND};
use crate::violation::Property;
use std::time::Duration;
use synod_consensus::{
    Ballot, ConsensusBug, GroupId, LogIndex, Membership, Protocol, SnapshotMeta, StoreId,
};
use synod_group::GroupBug;
use synod_mvcc::{KeySpaceBug, KeySpaceOptions};
use synod_storage::LogBug;

/// A bug built in on purpose, to show that the checks would catch it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// None: the code as it is.
    Nothing,
    /// In consensus.
    Consensus(ConsensusBug),
    /// In the group.
    Group(GroupBug),
    /// In the log.
    Log(LogBug),
    /// In the key space.
    KeySpace(KeySpaceBug),
}

impl Planted {
    /// The part of it that is in consensus.
    #[must_use]
    pub fn consensus(self) -> Option<ConsensusBug> {
        if let Self::Consensus(bug) = self { Some(bug) } else { None }
    }

    /// The part of it that is in the group.
    #[must_use]
    pub fn group(self) -> Option<GroupBug> {
        if let Self::Group(bug) = self { Some(bug) } else { None }
    }

    /// The part of it that is in the log.
    #[must_use]
    pub fn log(self) -> Option<LogBug> {
        if let Self::Log(bug) = self { Some(bug) } else { None }
    }

    /// The part of it that is in the key space.
    #[must_use]
    pub fn key_space(self) -> Option<KeySpaceBug> {
        if let Self::KeySpace(bug) = self { Some(bug) } else { None }
    }
}

/// Everything a run needs to know before it begins.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Names the run.
    pub seed: u64,
    /// Which protocol.
    pub protocol: Protocol,
    /// How many stores.
    pub stores: usize,
    /// How many clients, each with one request at a time.
    pub clients: usize,
    /// How many watchers.
    pub watchers: usize,
    /// How long faults last, in microseconds.
    pub fault_phase: u64,
    /// The mean time between two faults, in microseconds; 0 is none.
    pub fault_every: u64,
    /// Which faults this run draws from.
    pub faults: FaultKinds,
    /// How links behave in the fault phase.
    pub links: LinkFaults,
    /// The longest time a sync takes.
    pub sync_max: u64,
    /// The longest time one entry waits to be applied.
    pub apply_max: u64,
    /// The largest error of a clock's rate, in millionths.
    pub drift_per_million: i64,
    /// See [`synod_consensus::Config`].
    pub election_timeout: Duration,
    /// See [`synod_consensus::Config`].
    pub append_bytes_max: usize,
    /// See [`synod_consensus::Config`].
    pub inflight_appends_max: usize,
    /// See [`synod_group::GroupConfig`].
    pub trailing_bytes: usize,
    /// How long a segment of the log gets.
    pub segment_bytes: u64,
    /// The mean time between two flushes of an engine, in microseconds.
    pub flush_every: u64,
    /// A bug to be found.
    pub planted: Planted,
    /// What is done to the run itself, to see that its checks notice.
    pub sabotage: Sabotage,
    /// Promises whose breaking is passed over, to see which other one breaks then.
    pub muted: Vec<Property>,
    /// How wrong the checks take clocks to be; the same as `drift_per_million` unless sabotaged.
    pub drift_believed_per_million: i64,
    /// Record the inputs of every group, and replay them at the end.
    pub record: bool,
    /// The store in this place loses its power at this operation of its disk, counted from its start.
    pub crash_at: Option<(usize, u64)>,
}

/// What can be done to a run itself, outside of what is promised, to see that its checks notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// Nothing.
    Nothing,
    /// Faults do not heal: one store stays cut off for good.
    CutOff,
    /// When all stores lose their power at the end, their disks lose everything.
    WipeDisks,
    /// Recordings lose their last byte before they are replayed.
    CutRecordings,
}

/// Which kinds of faults may be drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FaultKinds {
    /// A store loses its power.
    pub crash: bool,
    /// Some stores cannot reach the others.
    pub partition: bool,
    /// Links that carry one direction only.
    pub one_way: bool,
    /// A process stands still.
    pub pause: bool,
    /// A sync fails.
    pub failed_sync: bool,
    /// All stores lose their power together.
    pub blackout: bool,
    /// A store loses its power right after it was elected.
    pub leader_crash: bool,
}

impl Scenario {
    /// The run that `seed` names.
    #[must_use]
    pub fn draw(seed: u64, protocol: Protocol, stores: usize) -> Self {
        let mut random = Random::new(seed).split("scenario");
        let faults = draw_faults(&mut random);
        let harsh = random.one_in(2);
        let drift_per_million = *random.pick(&[0, 100, 5_000]);
        Self {
            seed,
            protocol,
            stores,
            clients: random.between(3, 6) as usize,
            watchers: random.between(1, 3) as usize,
            fault_phase: random.between(4, 8) * SECOND,
            fault_every: random.between(200, 1_500) * MILLISECOND,
            faults,
            links: draw_links(&mut random, harsh),
            sync_max: *random.pick(&[500, 2_000, 20_000, 100_000]),
            apply_max: *random.pick(&[50, 500, 20_000]),
            drift_per_million,
            election_timeout: Duration::from_millis(*random.pick(&[100, 200, 400])),
            append_bytes_max: *random.pick(&[1, 200, 1_000, 1 << 20]),
            inflight_appends_max: *random.pick(&[1, 2, 16]),
            trailing_bytes: *random.pick(&[0, 1_000, 20_000]),
            segment_bytes: *random.pick(&[8_192, 32_768, 1 << 20]),
            flush_every: random.between(100, 1_500) * MILLISECOND,
            planted: Planted::Nothing,
            sabotage: Sabotage::Nothing,
            muted: Vec::new(),
            drift_believed_per_million: drift_per_million,
            record: random.one_in(4),
            crash_at: None,
        }
    }

    /// A short run without any fault but the ones that are added to it.
    #[must_use]
    pub fn quiet(seed: u64, protocol: Protocol, stores: usize) -> Self {
        Self {
            fault_phase: 2 * SECOND,
            fault_every: 0,
            faults: FaultKinds::default(),
            links: LinkFaults::QUIET,
            drift_per_million: 0,
            drift_believed_per_million: 0,
            sync_max: 500,
            apply_max: 50,
            ..Self::draw(seed, protocol, stores)
        }
    }

    /// A short run in which logs are cut or overwritten, snapshots installed and segments
    /// reclaimed, without any loss of power but the one that is added to it.
    #[must_use]
    pub fn eventful(seed: u64, protocol: Protocol) -> Self {
        Self {
            clients: 4,
            watchers: 1,
            fault_phase: 3 * SECOND,
            fault_every: 400 * MILLISECOND,
            faults: FaultKinds { partition: true, ..FaultKinds::default() },
            election_timeout: Duration::from_millis(100),
            append_bytes_max: 1_000,
            trailing_bytes: 0,
            segment_bytes: 8_192,
            flush_every: 300 * MILLISECOND,
            record: false,
            ..Self::quiet(seed, protocol, 3)
        }
    }

    /// The groups that every store hosts.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + use<> {
        [GroupId::META, GroupId::DEFAULT].into_iter()
    }

    /// The identity of the store in a place.
    #[must_use]
    pub fn store_id(place: usize) -> StoreId {
        StoreId(place as u64 + 1)
    }

    /// What every group's log starts behind.
    #[must_use]
    pub fn founding_meta(&self) -> SnapshotMeta {
        let membership = Membership::of_voters((0..self.stores).map(Self::store_id));
        SnapshotMeta { index: LogIndex::ZERO, ballot: Ballot::ZERO, membership }
    }

    /// Cuts the first store off, for good.
    pub(crate) fn sabotage_links(&self, network: &mut Network) {
        (1..self.stores).for_each(|place| network.cut_both(0, place));
    }

    /// How key spaces behave.
    #[must_use]
    pub fn key_space_options(&self) -> KeySpaceOptions {
        KeySpaceOptions { planted_bug: self.planted.key_space(), ..KeySpaceOptions::default() }
    }
}

fn draw_faults(random: &mut Random) -> FaultKinds {
    // One run in eight has no faults but the network's.
    if random.one_in(8) {
        return FaultKinds::default();
    }
    FaultKinds {
        crash: random.one_in(2),
        partition: random.one_in(2),
        one_way: random.one_in(3),
        pause: random.one_in(3),
        failed_sync: random.one_in(4),
        blackout: random.one_in(4),
        leader_crash: random.one_in(5),
    }
}

fn draw_links(random: &mut Random, harsh: bool) -> LinkFaults {
    if !harsh {
        return LinkFaults::QUIET;
    }
    LinkFaults {
        loss_per_million: *random.pick(&[0, 1_000, 20_000, 100_000]),
        double_per_million: *random.pick(&[0, 10_000, 100_000]),
        delay_min: 50,
        delay_max: *random.pick(&[500, 5_000, 20_000]),
        spike_per_million: *random.pick(&[0, 10_000, 50_000]),
        spike_max: 300_000,
    }
}
