//! What founding promises, over every order in which nodes meet, crash and are wiped.

use super::*;
use proptest::prelude::*;

fn config(name: &str, store: u64, names: &[&str]) -> FoundingConfig {
    FoundingConfig {
        name: name.to_owned(),
        store: StoreId(store),
        incarnation: 1,
        consensus: Protocol::Raft,
        token_hash: 5,
        list: names.iter().map(|name| ((*name).to_owned(), format!("http://{name}:1"))).collect(),
        may_found: true,
        cluster_draw: ClusterId(1000 + store),
    }
}

fn node(name: &str, store: u64) -> Founding {
    Founding::new(config(name, store, &["a", "b", "c"]), None).unwrap()
}

fn founded(name: &str, store: u64) -> Founding {
    let (mut a, b, c) = (node("a", 1), node("b", 2), node("c", 3));
    a.meet(&b.hello()).unwrap();
    a.meet(&c.hello()).unwrap();
    a.recorded();
    let config = config(name, store, &["a", "b", "c"]);
    Founding::new(config, a.record().cloned()).unwrap()
}

fn refusal_code(node: &mut Founding, peer: &Founding) -> RefusalCode {
    node.meet(&peer.hello()).unwrap_err().code
}

#[test]
fn the_first_name_founds_once_it_has_met_everyone() {
    let (mut a, mut b, c) = (node("a", 1), node("b", 2), node("c", 3));
    a.meet(&b.hello()).unwrap();
    assert_eq!(a.to_record(), None);
    assert_eq!(a.missing(), ["c"]);
    b.meet(&a.hello()).unwrap();
    b.meet(&c.hello()).unwrap();
    assert_eq!(b.to_record(), None, "only the first name founds");
    a.meet(&c.hello()).unwrap();
    let record = a.to_record().cloned().unwrap();
    assert_eq!(record.names(), "a,b,c");
    assert_eq!(a.hello().founding, None, "nobody is told before the record is durable");
    assert_eq!(a.hello().cluster, record.cluster, "but nobody may found with it any more");
    assert_eq!(refusal_code(&mut b, &a), RefusalCode::Joining);
    assert_eq!(b.failure(), None);
    a.recorded();
    assert_eq!(a.hello().cluster, record.cluster);
    b.meet(&a.hello()).unwrap();
    assert_eq!(b.to_record(), Some(&record));
}

#[test]
fn a_single_node_founds_alone() {
    let mut only = Founding::new(config("only", 9, &["only"]), None).unwrap();
    assert_eq!(only.to_record().unwrap().members.len(), 1);
    only.recorded();
    assert!(only.record().is_some());
}

#[test]
fn a_node_that_may_not_found_waits_to_be_told() {
    let mut settings = config("a", 1, &["a"]);
    settings.may_found = false;
    let node = Founding::new(settings, None).unwrap();
    assert_eq!(node.to_record(), None);
}

#[test]
fn a_disk_wiped_before_the_founding_is_met_anew() {
    let (mut a, b, c) = (node("a", 1), node("b", 2), node("c", 3));
    a.meet(&b.hello()).unwrap();
    let wiped = node("b", 22);
    a.meet(&wiped.hello()).unwrap();
    a.meet(&c.hello()).unwrap();
    assert_eq!(a.to_record().unwrap().member("b").unwrap().store, StoreId(22));
}

#[test]
fn a_disk_wiped_after_the_record_was_chosen_is_refused() {
    let (mut a, b, c) = (node("a", 1), node("b", 2), node("c", 3));
    a.meet(&b.hello()).unwrap();
    a.meet(&c.hello()).unwrap();
    assert_eq!(refusal_code(&mut a, &node("b", 22)), RefusalCode::StoreChanged);
    a.recorded();
    let refusal = a.meet(&node("b", 22).hello()).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::StoreChanged);
    assert!(refusal.text.contains("name b was store 2, now says 16"), "{refusal}");
}

#[test]
fn a_wiped_node_stops_when_it_hears_of_its_past() {
    let a = founded("a", 1);
    let mut wiped = node("b", 22);
    assert_eq!(refusal_code(&mut wiped, &a), RefusalCode::StoreChanged);
    assert!(matches!(wiped.failure(), Some(FoundingError::OtherCluster { .. })));
    assert_eq!(wiped.to_record(), None);
    let mut told = node("b", 23);
    told.refused_by("a", &Refusal::store_changed("b", StoreId(2), StoreId(23)));
    assert!(matches!(told.failure(), Some(FoundingError::Refused { .. })));
}

#[test]
fn a_member_goes_on_when_a_wiped_node_refuses_it() {
    let mut a = founded("a", 1);
    let mut wiped = node("b", 22);
    let refusal = wiped.meet(&a.hello()).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::StoreChanged);
    a.refused_by("b", &refusal);
    assert_eq!(a.failure(), None, "it speaks of the wiped node");
}

#[test]
fn a_wiped_founder_cannot_found_again_over_members_that_know_better() {
    let mut wiped = node("a", 11);
    let mut b = founded("b", 2);
    assert_eq!(refusal_code(&mut b, &wiped), RefusalCode::StoreChanged);
    assert_eq!(refusal_code(&mut wiped, &b), RefusalCode::StoreChanged);
    wiped.meet(&node("c", 3).hello()).unwrap();
    assert_eq!(wiped.to_record(), None);
}

#[test]
fn another_clusters_data_is_refused_with_both_ids() {
    let mut b = founded("b", 2);
    let mut settings = config("a", 1, &["a", "b", "c"]);
    settings.cluster_draw = ClusterId(0xbeef);
    let mut other = Founding::new(settings, None).unwrap();
    other.meet(&node("b", 7).hello()).unwrap();
    other.meet(&node("c", 8).hello()).unwrap();
    other.recorded();
    let refusal = b.meet(&other.hello()).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::OtherCluster);
    assert!(refusal.text.contains("beef") && refusal.text.contains("3e9"), "{refusal}");
    assert_eq!(b.failure(), None, "a member does not stop because a stranger is wrong");
}

#[test]
fn settings_that_differ_are_refused_before_anything_else() {
    let change = |change: fn(&mut FoundingConfig)| {
        let mut settings = config("b", 2, &["a", "b", "c"]);
        change(&mut settings);
        let peer = Founding::new(settings, None).unwrap();
        refusal_code(&mut node("a", 1), &peer)
    };
    assert_eq!(change(|peer| peer.token_hash = 6), RefusalCode::Token);
    assert_eq!(change(|peer| peer.consensus = Protocol::Paxos), RefusalCode::Consensus);
    assert_eq!(change(|peer| peer.store = StoreId(1)), RefusalCode::SameStore);
    let mut hello = node("b", 2).hello();
    hello.version += 1;
    assert_eq!(node("a", 1).meet(&hello).unwrap_err().code, RefusalCode::Version);
}

#[test]
fn an_unlisted_name_is_refused() {
    let stranger = Founding::new(config("d", 4, &["a", "d"]), None).unwrap();
    assert_eq!(refusal_code(&mut node("a", 1), &stranger), RefusalCode::UnknownName);
    assert_eq!(refusal_code(&mut founded("a", 1), &stranger), RefusalCode::UnknownName);
}

#[test]
fn a_record_of_another_list_is_not_adopted() {
    let mut settings = config("b", 2, &["a", "b"]);
    settings.may_found = true;
    let mut b = Founding::new(settings, None).unwrap();
    assert_eq!(refusal_code(&mut b, &founded("a", 1)), RefusalCode::ListsDiffer);
    assert!(b.failure().is_some());
    assert_eq!(b.to_record(), None);
}

#[test]
fn an_older_incarnation_of_a_store_is_refused() {
    let mut a = founded("a", 1);
    let mut hello = founded("b", 2).hello();
    hello.incarnation = 5;
    a.meet(&hello).unwrap();
    a.meet(&hello).unwrap();
    hello.incarnation = 4;
    assert_eq!(a.meet(&hello).unwrap_err().code, RefusalCode::OldIncarnation);
}

#[test]
fn one_store_under_two_names_is_refused() {
    let mut a = node("a", 1);
    a.meet(&node("b", 2).hello()).unwrap();
    assert_eq!(refusal_code(&mut a, &node("c", 2)), RefusalCode::SameStore);
}

#[test]
fn a_list_without_the_node_itself_is_refused() {
    let error = Founding::new(config("z", 4, &["a", "b"]), None).unwrap_err();
    assert!(error.to_string().contains("--initial-cluster names a,b, but not this node, z"));
}

/// One step in the life of three nodes that are to become a cluster.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// One greets another, and is answered.
    Greet(usize, usize),
    /// A pending record becomes durable.
    Record(usize),
    /// The process dies and starts again from its disk.
    Restart(usize),
    /// The disk is wiped, and the process starts again.
    Wipe(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..3, 0usize..3).prop_map(|(from, to)| Step::Greet(from, to)),
        4 => (0usize..3).prop_map(Step::Record),
        2 => (0usize..3).prop_map(Step::Restart),
        1 => (0usize..3).prop_map(Step::Wipe),
    ]
}

struct World {
    nodes: Vec<Founding>,
    incarnations: Vec<u64>,
    stores_drawn: u64,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl World {
    fn new() -> Self {
        let nodes = (0..3).map(|at| node(NAMES[at], at as u64 + 1)).collect();
        Self { nodes, incarnations: vec![1; 3], stores_drawn: 3 }
    }

    fn start(&mut self, at: usize, store: u64, record: Option<FoundingRecord>) {
        self.incarnations[at] += 1;
        let mut settings = config(NAMES[at], store, &NAMES);
        settings.incarnation = self.incarnations[at];
        settings.cluster_draw = ClusterId(1_000_000 * store + self.incarnations[at]);
        self.nodes[at] = Founding::new(settings, record).unwrap();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Greet(from, to) if from != to => {
                let hello = self.nodes[from].hello();
                if self.nodes[to].meet(&hello).is_ok() {
                    let welcome = self.nodes[to].hello();
                    let _ = self.nodes[from].meet(&welcome);
                }
            }
            Step::Greet(..) => {}
            Step::Record(at) => {
                if self.nodes[at].to_record().is_some() {
                    self.nodes[at].recorded();
                }
            }
            Step::Restart(at) => {
                let store = self.nodes[at].hello().store.0;
                let record = self.nodes[at].record().cloned();
                self.start(at, store, record);
            }
            Step::Wipe(at) => {
                self.stores_drawn += 1;
                self.start(at, self.stores_drawn, None);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A store belongs to one cluster at most, whoever restarts or is wiped, and whenever.
    #[test]
    fn a_store_never_exchanges_its_cluster(
        steps in proptest::collection::vec(any_step(), 0..60),
    ) {
        let mut world = World::new();
        let mut records: BTreeMap<StoreId, FoundingRecord> = BTreeMap::new();
        for step in steps {
            world.step(step);
            for node in &world.nodes {
                let Some(record) = node.record() else { continue };
                let before = records.entry(node.hello().store).or_insert_with(|| record.clone());
                prop_assert_eq!(&*before, record);
            }
        }
    }

    /// With one disk wiped, at any time, members that a record names and that follow any record
    /// follow the same one. (With two of three wiped during the founding, the third may be left
    /// alone in a cluster that nobody else knows of.)
    #[test]
    fn members_agree_on_their_cluster_though_a_disk_is_wiped(
        steps in proptest::collection::vec(any_step(), 0..60),
    ) {
        let mut world = World::new();
        let mut wiped = false;
        for step in steps {
            if matches!(step, Step::Wipe(_)) && std::mem::replace(&mut wiped, true) {
                continue;
            }
            world.step(step);
            for node in &world.nodes {
                let Some(record) = node.record() else { continue };
                for other in &world.nodes {
                    let store = other.hello().store;
                    let is_member = record.members.iter().any(|member| member.store == store);
                    let follows = other.record();
                    prop_assert!(!is_member || follows.is_none_or(|follows| follows == record));
                }
            }
        }
    }

    /// Without wiped disks a cluster comes into being whatever happened before.
    #[test]
    fn founding_ends_once_everyone_meets(
        steps in proptest::collection::vec(any_step(), 0..40),
    ) {
        let mut world = World::new();
        for step in steps {
            if !matches!(step, Step::Wipe(_)) {
                world.step(step);
            }
        }
        for _ in 0..3 {
            (0..3).for_each(|at| world.step(Step::Record(at)));
            for (from, to) in [(0, 1), (0, 2), (1, 2)] {
                world.step(Step::Greet(from, to));
            }
        }
        (0..3).for_each(|at| world.step(Step::Record(at)));
        let record = world.nodes[0].record().cloned();
        prop_assert!(record.is_some());
        prop_assert!(world.nodes.iter().all(|node| node.record() == record.as_ref()));
        prop_assert!(world.nodes.iter().all(|node| node.failure().is_none()));
    }
}
