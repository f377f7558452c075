//! Nodes are killed with SIGKILL, one after another, under load: no acknowledged write is lost or
//! done twice, no watcher misses an event or sees one twice, and the nodes agree.
//!
//! What is killed is the process: the operating system's cache survives, so this does not show that
//! a write reached the disk before it was acknowledged. The simulator and the log's crash tests do.

#![allow(clippy::unwrap_used, reason = "a test fails where something is not as expected")]

mod common;

use common::cluster::Cluster;
use common::history::{Attempt, Outcome, Seen, faults};
use common::load::Load;
use common::{announce, patiently};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const KILLS: usize = 10;
const WRITERS: usize = 6;
const WATCHERS: usize = 3;
const READERS: usize = 3;

/// How many writes must be acknowledged with a node dead, and again once it is back, before the next
/// one is killed: enough that every writer has had its turn.
const WRITES_BETWEEN: u64 = 500;

/// One node's death.
struct Kill {
    victim: usize,
    at: Instant,
    was_leader: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn raft_loses_and_repeats_nothing_when_nodes_are_killed() {
    kill_one_after_another("raft").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paxos_loses_and_repeats_nothing_when_nodes_are_killed() {
    kill_one_after_another("paxos").await;
}

async fn kill_one_after_another(protocol: &str) {
    let mut cluster = Cluster::start(protocol);
    let load = Load::new(cluster.endpoints());
    let each = |count: usize| (0..count).map(|number| (number, load.clone()));
    let writers: Vec<_> =
        each(WRITERS).map(|(number, load)| tokio::spawn(load.write(number))).collect();
    let watchers: Vec<_> =
        each(WATCHERS).map(|(number, load)| tokio::spawn(load.watch(number))).collect();
    let readers: Vec<_> =
        each(READERS).map(|(number, load)| tokio::spawn(load.read(number))).collect();
    load.wait_for_writes(WRITES_BETWEEN).await;
    let mut kills = Vec::new();
    while kills.len() < KILLS {
        let kill = kill_and_restart(&mut cluster, &load, &kills).await;
        kills.push(kill);
    }
    load.stop();
    let attempts = join(writers).await.concat();
    let reads: u64 = join(readers).await.into_iter().sum();
    let histories = settle(&cluster, &load, watchers).await;
    let found = faults(&attempts, &histories[0]);
    assert!(found.is_empty(), "{protocol}: {} faults: {:#?}", found.len(), first(&found));
    for (number, history) in histories.iter().enumerate() {
        assert!(*history == histories[0], "watcher {number} saw another history");
    }
    report(protocol, &kills, &attempts, reads);
}

/// The leader and another node by turns; the other one is killed once more while it starts.
async fn kill_and_restart(cluster: &mut Cluster, load: &Load, before: &[Kill]) -> Kill {
    let leader = cluster.leader().await;
    let was_leader = before.len().is_multiple_of(2);
    let victim = if was_leader { leader } else { least_killed(cluster, leader, before) };
    cluster.nodes[victim].kill();
    let kill = Kill { victim, at: Instant::now(), was_leader };
    load.wait_for_writes(WRITES_BETWEEN).await;
    if !was_leader {
        cluster.launch(victim);
        cluster.nodes[victim].process().wait_for("listening ");
        cluster.nodes[victim].kill();
    }
    cluster.restart(victim);
    load.wait_for_writes(WRITES_BETWEEN).await;
    kill
}

/// Of the nodes that do not lead, the one that was killed the least, so that each has its turn.
fn least_killed(cluster: &Cluster, leader: usize, kills: &[Kill]) -> usize {
    let count = |node: &usize| kills.iter().filter(|kill| kill.victim == *node).count();
    let others = (0..cluster.nodes.len()).filter(|node| *node != leader);
    others.min_by_key(count).expect("there are three nodes")
}

async fn join<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for task in tasks {
        results.push(patiently("for a client to end", task).await.unwrap());
    }
    results
}

/// What every watcher saw, and what each node tells of the whole history; the nodes agree on the
/// state.
async fn settle(
    cluster: &Cluster,
    load: &Load,
    watchers: Vec<JoinHandle<Vec<Seen>>>,
) -> Vec<Vec<Seen>> {
    let states = states(cluster).await;
    assert!(states.iter().all(|state| *state == states[0]), "the nodes' states differ");
    load.end_watches_at(states[0].revision);
    let mut histories = Vec::new();
    for (number, endpoint) in cluster.endpoints().into_iter().enumerate() {
        let fresh = Load::new(vec![endpoint]);
        fresh.end_watches_at(states[0].revision);
        histories.push(patiently("for the history", fresh.watch(number)).await);
    }
    histories.extend(join(watchers).await);
    histories
}

/// What a node holds.
#[derive(PartialEq, Eq)]
struct State {
    revision: i64,
    hash: u32,
    keys: Vec<(bytes::Bytes, bytes::Bytes, i64, i64, i64)>,
}

async fn states(cluster: &Cluster) -> Vec<State> {
    let mut states = Vec::new();
    for number in 0..cluster.nodes.len() {
        let mut node = cluster.clients(number).await;
        let all = node.get_all().await;
        let revision = all.header.unwrap().revision;
        let hash = node.hash(revision).await;
        let keys = all.kvs.into_iter();
        let keys =
            keys.map(|kv| (kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version));
        states.push(State { revision, hash, keys: keys.collect() });
    }
    states
}

/// As many as a reader of a failed test can use.
fn first(faults: &[String]) -> &[String] {
    &faults[..faults.len().min(10)]
}

/// For people; nothing is judged by it.
fn report(protocol: &str, kills: &[Kill], attempts: &[Attempt], reads: u64) {
    let count = |is: fn(&Outcome) -> bool| attempts.iter().filter(|one| is(&one.outcome)).count();
    let acknowledged = count(|outcome| matches!(outcome, Outcome::Acknowledged(_)));
    let unknown = count(|outcome| *outcome == Outcome::Unknown);
    let refused = count(|outcome| *outcome == Outcome::Refused);
    announce(&format!(
        "{protocol}: {} kills, {acknowledged} writes acknowledged, {refused} refused, {unknown} \
         unknown, {reads} linearizable reads",
        kills.len()
    ));
    let victims: Vec<usize> = kills.iter().map(|kill| kill.victim).collect();
    announce(&format!("{protocol}: the nodes killed, in order: {victims:?}"));
    let pauses = pauses(kills, attempts);
    for (what, was_leader) in [("the leader", true), ("another node", false)] {
        let mut some: Vec<Duration> =
            pauses.iter().filter(|(leader, _)| *leader == was_leader).map(|(_, it)| *it).collect();
        some.sort();
        announce(&format!(
            "{protocol}: longest pause of acknowledged writes after {what} was killed: median \
             {:?}, max {:?} ({} kills)",
            some[some.len() / 2],
            some[some.len() - 1],
            some.len()
        ));
    }
}

/// For each kill, whether it was the leader's, and the longest time without an acknowledgement
/// until the next kill.
fn pauses(kills: &[Kill], attempts: &[Attempt]) -> Vec<(bool, Duration)> {
    let is_done = |one: &&Attempt| matches!(one.outcome, Outcome::Acknowledged(_));
    let mut done: Vec<Instant> = attempts.iter().filter(is_done).map(|one| one.ended).collect();
    done.sort();
    let until = |number: usize| kills.get(number + 1).map(|next| next.at);
    let pause = |(number, kill): (usize, &Kill)| {
        let within = |at: &&Instant| **at > kill.at && until(number).is_none_or(|next| **at < next);
        let times: Vec<Instant> =
            [kill.at].into_iter().chain(done.iter().filter(within).copied()).collect();
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        (kill.was_leader, longest.unwrap_or_default())
    };
    kills.iter().enumerate().map(pause).collect()
}

/// Two writes as clients saw them, and the history that fits.
fn judged() -> (Vec<Attempt>, Vec<Seen>) {
    let now = Instant::now();
    let attempt = |value: &str, outcome, from, to| Attempt {
        key: "k".into(),
        value: value.into(),
        outcome,
        begun: now + Duration::from_secs(from),
        ended: now + Duration::from_secs(to),
    };
    let attempts = vec![
        attempt("a", Outcome::Acknowledged(2), 0, 1),
        attempt("b", Outcome::Unknown, 1, 2),
        attempt("c", Outcome::Refused, 2, 3),
        attempt("d", Outcome::Acknowledged(4), 3, 4),
    ];
    let seen = |revision, value: &str| Seen { revision, key: "k".into(), value: value.into() };
    (attempts, vec![seen(2, "a"), seen(3, "b"), seen(4, "d")])
}

#[test]
fn the_judge_accepts_what_clients_were_told() {
    let (mut attempts, mut history) = judged();
    assert_eq!(faults(&attempts, &history), Vec::<String>::new());
    history.remove(1);
    history[1].revision = 3;
    attempts[3].outcome = Outcome::Acknowledged(3);
    assert_eq!(faults(&attempts, &history), Vec::<String>::new(), "what is unknown may be missing");
}

#[test]
fn the_judge_sees_every_kind_of_fault() {
    type Plant = fn(&mut Vec<Attempt>, &mut Vec<Seen>);
    let planted: [(&str, Plant); 7] = [
        ("lost", |_, history| drop(history.pop())),
        ("twice", |_, history| history.push(Seen { revision: 5, ..history[1].clone() })),
        ("became", |_, history| history[0].key = "other".into()),
        ("became", |attempts, _| attempts[0].outcome = Outcome::Acknowledged(3)),
        ("refused", |_, history| history[1].value = "c".into()),
        ("nobody", |_, history| history[1].value = "x".into()),
        ("not revision", |_, history| drop(history.remove(1))),
    ];
    for (word, plant) in planted {
        let (mut attempts, mut history) = judged();
        plant(&mut attempts, &mut history);
        let found = faults(&attempts, &history);
        assert!(found.iter().any(|fault| fault.contains(word)), "{word}: {found:?}");
    }
}

#[test]
fn the_judge_sees_a_write_that_overtakes_one_acknowledged_before_it() {
    let (mut attempts, mut history) = judged();
    attempts[0].outcome = Outcome::Acknowledged(4);
    attempts[3].outcome = Outcome::Acknowledged(2);
    history[0].value = "d".into();
    history[2].value = "a".into();
    let found = faults(&attempts, &history);
    assert!(found.len() == 1 && found[0].contains("lower revision"), "{found:?}");
}
