//! One long conversation over the whole surface, the same with every server. It starts with an
//! empty key space, and each part goes on from the state that the one before left.

mod compaction;
mod keys;
mod leases;
mod limits;
mod transactions;
mod watches;

use super::clients::Clients;
use super::transcript::Transcript;

/// Has the conversation; what was said.
pub async fn run(clients: Clients) -> String {
    let mut transcript = Transcript::new(clients);
    keys::run(&mut transcript).await;
    transactions::run(&mut transcript).await;
    leases::run(&mut transcript).await;
    watches::run(&mut transcript).await;
    compaction::run(&mut transcript).await;
    limits::run(&mut transcript).await;
    transcript.finish()
}
