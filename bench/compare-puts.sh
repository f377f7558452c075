#!/usr/bin/env bash
# Puts on three members of etcd (Debian's etcd-server) and on three nodes of Synod, in turn, on this
# machine: the same client, the same settings, every acknowledged put synced on a quorum by both.
#
#   bench/compare-puts.sh [ROUNDS] [SECONDS] [DIRECTORY]
#
# DIRECTORY must lie on a real disk: a sync costs nothing in memory. Each round measures etcd, Synod on
# Raft, and Synod on Multi-Paxos, one after the other, each freshly founded and alone on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly ROUNDS="${1:-5}" SECONDS_EACH="${2:-5}"
DIRECTORY="$(mktemp -d "${3:-.}/compare-puts.XXXXXX")"
readonly DIRECTORY
readonly TARGET="${CARGO_TARGET_DIR:-target}/release"
readonly PORT=23790

running=()
stop_all() {
    for pid in "${running[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${running[@]}"; do wait "$pid" 2>/dev/null || true; done
    running=()
}
trap 'stop_all; rm -rf "$DIRECTORY"' EXIT

await() {
    for _ in $(seq 100); do
        if ETCDCTL_API=3 etcdctl --endpoints "$1" get ready >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    echo "$1 does not serve" >&2
    exit 1
}

start_etcd() {
    local cluster="" n
    for n in 0 1 2; do cluster+="${cluster:+,}e$n=http://127.0.0.1:$((PORT + 100 + n))"; done
    for n in 0 1 2; do
        etcd --name "e$n" --data-dir "$DIRECTORY/etcd$n" --logger zap --log-level error \
            --listen-client-urls "http://127.0.0.1:$((PORT + 2 * n))" \
            --advertise-client-urls "http://127.0.0.1:$((PORT + 2 * n))" \
            --listen-peer-urls "http://127.0.0.1:$((PORT + 100 + n))" \
            --initial-advertise-peer-urls "http://127.0.0.1:$((PORT + 100 + n))" \
            --initial-cluster "$cluster" >/dev/null 2>&1 &
        running+=($!)
    done
}

start_synod() {
    "$TARGET/synod" dev --fresh --consensus "$1" --base-port "$PORT" --data-dir "$DIRECTORY/synod" \
        >/dev/null 2>&1 &
    running+=($!)
}

measure() {
    local name=$1 endpoints="" n clients
    for n in 0 1 2; do
        await "127.0.0.1:$((PORT + 2 * n))"
        endpoints+="${endpoints:+,}127.0.0.1:$((PORT + 2 * n))"
    done
    for clients in 1 64 256; do
        printf '%-12s ' "$name"
        "$TARGET/examples/puts" "$endpoints" "$clients" "$SECONDS_EACH"
    done
    stop_all
    rm -rf "${DIRECTORY:?}"/*
}

cargo build --quiet --release -p synod
cargo build --quiet --release -p synod-coordination --example puts
etcd --version | head -1
for _ in $(seq "$ROUNDS"); do
    start_etcd && measure etcd
    start_synod raft && measure synod-raft
    start_synod paxos && measure synod-paxos
done
