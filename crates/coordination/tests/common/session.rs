//! One session with `etcdctl` over its whole surface, the same with every server. It starts with an
//! empty key space, and each part goes on from the state that the one before left. It is blocking: it
//! waits for processes.

use super::etcdctl::Etcdctl;

/// Compares command by command, so that the first difference is the one that is shown.
pub fn assert_same(record: &str, said: &str) {
    for (record, said) in record.split("\n\n").zip(said.split("\n\n")) {
        assert_eq!(record, said, "left: etcd, right: synod");
    }
    assert_eq!(record.len(), said.len());
}

/// Has the session; what etcdctl printed.
pub fn converse(mut e: Etcdctl) -> String {
    keys(&mut e);
    transactions(&mut e);
    leases(&mut e);
    watches(&mut e);
    coordination(&mut e);
    maintenance(&mut e);
    e.finish()
}

fn keys(e: &mut Etcdctl) {
    let lines = [
        "put a 1",
        "put a 2 --prev-kv",
        "put a/x 10",
        "put a/y 9",
        "put b 3",
        "get a",
        "get missing",
        "get a --prefix",
        "get a b",
        "get --from-key b",
        "get a --prefix --limit=2",
        "get a --prefix --keys-only",
        "get a --prefix --order=DESCEND --sort-by=KEY",
        "get a --prefix --order=ASCEND --sort-by=VALUE",
        "get a --prefix --order=DESCEND --sort-by=MODIFY",
        "get a --prefix --order=DESCEND --sort-by=CREATE",
        "get a --prefix --order=DESCEND --sort-by=VERSION",
        "get a --prefix --limit=1 --write-out=fields",
        "get a --print-value-only",
        "get a --consistency=s",
        "get a --rev=2",
        "get a --rev=999",
        "get a --write-out=fields",
        "put a --ignore-value",
        "put missing --ignore-value",
        "put missing 1 --ignore-lease",
        "put a 1 --lease=4d",
        "del missing",
        "del a --prev-kv",
        "del a/ --prefix --prev-kv",
        "del --from-key zzz",
    ];
    lines.into_iter().for_each(|line| {
        // The ids of cluster and member stand in the fields of headers.
        let shows_ids = line.contains("fields");
        if shows_ids { fields(e, line) } else { e.run(line) }
    });
}

fn fields(e: &mut Etcdctl, line: &str) {
    let arguments: Vec<&str> = line.split(' ').collect();
    let (output, code) = e.output(&arguments, "");
    let is_id = |line: &&str| line.contains("ClusterID") || line.contains("MemberID");
    let kept: Vec<&str> = output.lines().filter(|line| !is_id(line)).collect();
    let kept: String = kept
        .iter()
        .filter(|line| !line.contains("RaftTerm"))
        .map(|line| format!("{line}\n"))
        .collect();
    e.say(line, &kept, code);
}

fn transactions(e: &mut Etcdctl) {
    e.run_with("txn", "ver(\"t\") = \"0\"\n\nput t 1\nget t\n\nget t\n\n");
    e.run_with("txn", "ver(\"t\") = \"0\"\n\nput t 1\nget t\n\nget t\ndel t\n\n");
    e.run_with("txn", "val(\"b\") = \"3\"\nmod(\"b\") > \"1\"\n\nput b 4\n\nput b 5\n\n");
    e.run_with("txn", "val(\"b\") = \"4\"\n\nput b 5\nput b 6\n\n\n");
    e.run_with("txn", "\nput c 1\nget --prefix c\n\n\n");
}

fn leases(e: &mut Etcdctl) {
    // The ids are drawn by the server: they are named here, and nowhere else.
    let (granted, code) = e.output(&["lease", "grant", "100"], "");
    let id = granted.split(' ').nth(1).unwrap().to_owned();
    let run = |e: &mut Etcdctl, line: &str| {
        let actual = line.replace("ID", &id);
        let arguments: Vec<&str> = actual.split(' ').collect();
        let (output, code) = e.output(&arguments, "");
        let output = output.replace(&id, "ID");
        // A second may pass.
        e.say(line, &output.replace("remaining(99s)", "remaining(98s)"), code);
    };
    e.say("lease grant 100", &granted.replace(&id, "ID"), code);
    run(e, "put l2 1 --lease=ID");
    run(e, "put l1 1 --lease=ID");
    run(e, "lease keep-alive --once ID");
    run(e, "lease timetolive ID");
    run(e, "lease list");
    run(e, "lease revoke ID");
    run(e, "lease revoke ID");
    run(e, "lease timetolive ID");
    run(e, "lease keep-alive ID");
    run(e, "lease list");
    e.run("get l --prefix");
    e.run("put l 1 --lease=1234");
    e.run("lease grant 9000000001");
}

fn watches(e: &mut Etcdctl) {
    e.watch("watch --rev=2 --prefix a").take(12, e);
    e.watch("watch --rev=2 --prefix --prev-kv a").take(20, e);
    e.watch("watch --rev=2 a b").take(12, e);
    // A watch from now on is created when it is told of a write; the write waits for nothing else.
    let next = e.watch("watch --rev=40 w");
    while !e.output(&["get", "w"], "").0.contains("last") {
        let (output, _) = e.output(&["put", "w", "last"], "");
        assert!(output.contains("OK"));
    }
    let (revision, _) = e.output(&["get", "w", "--write-out=fields"], "");
    let revision: i64 = value(&revision, "\"Revision\"").unwrap();
    for _ in revision..40 {
        e.output(&["put", "w", "last"], "");
    }
    next.take(3, e);
}

/// The number after a field's name.
fn value(fields: &str, name: &str) -> Option<i64> {
    let line = fields.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// What etcdctl builds on leases and transactions by itself.
fn coordination(e: &mut Etcdctl) {
    e.run("lock mutex /bin/echo locked");
    let leader = e.watch("elect office one");
    leader.take(2, &mut Etcdctl::new(""));
}

fn maintenance(e: &mut Etcdctl) {
    for line in [
        "endpoint health",
        "alarm list",
        "alarm disarm",
        "defrag",
        "compaction 20",
        "compaction 20",
        "compaction 9999",
        "get a --rev=19",
        "get b --rev=20",
        "watch --rev=2 a",
    ] {
        e.run(line);
    }
}
