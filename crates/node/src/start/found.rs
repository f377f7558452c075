//! Waiting for the cluster: greetings move the founding, and its record goes to the disk.

use crate::config::NodeConfig;
use crate::error::StartErrorCause;
use crate::founding::{Founding, FoundingConfig, FoundingRecord};
use crate::gate::Gate;
use crate::identity::{Identity, IdentityFile};
use crate::random;
use std::time::Duration;
use synod_transport::{ClusterId, Transport, token_hash};
use tokio::time::timeout;
use tracing::info;

/// How often a waiting node says whom it waits for.
const WAITING_NOTICE_INTERVAL: Duration = Duration::from_secs(5);

/// The founding as the data directory knows it.
pub(super) fn founding_of(
    config: &NodeConfig,
    identity: &Identity,
) -> Result<Founding, StartErrorCause> {
    let cluster_draw = ClusterId(random::draw().map_err(StartErrorCause::System)?);
    let founding = FoundingConfig {
        name: config.name.clone(),
        store: identity.store,
        incarnation: identity.incarnation,
        consensus: config.consensus,
        token_hash: token_hash(&config.cluster_token),
        list: config.initial_cluster.clone(),
        may_found: config.may_found,
        cluster_draw,
    };
    Founding::new(founding, identity.founding.clone()).map_err(StartErrorCause::Founding)
}

/// Returns the durable founding record, as soon as there is one.
pub(super) async fn wait_until_founded(
    gate: &Gate,
    transport: &Transport<Gate>,
    identity: &mut IdentityFile,
) -> Result<FoundingRecord, StartErrorCause> {
    loop {
        record_if_chosen(gate, transport, identity)?;
        {
            let founding = gate.founding();
            if let Some(failure) = founding.failure() {
                return Err(StartErrorCause::Founding(failure.clone()));
            }
            if let Some(record) = founding.record() {
                return Ok(record.clone());
            }
        }
        if timeout(WAITING_NOTICE_INTERVAL, gate.moved()).await.is_err() {
            let missing = gate.founding().missing().join(", ");
            info!("waiting for the cluster to be founded; not met yet: {missing}");
        }
    }
}

/// Makes a chosen record durable, and then shows it to the peers.
fn record_if_chosen(
    gate: &Gate,
    transport: &Transport<Gate>,
    identity: &mut IdentityFile,
) -> Result<(), StartErrorCause> {
    let Some(record) = gate.founding().to_record().cloned() else { return Ok(()) };
    identity.record_founding(&record).map_err(StartErrorCause::Identity)?;
    gate.founding().recorded();
    info!(cluster = %record.cluster, members = %record.names(), "the cluster is founded");
    transport.greet_again();
    Ok(())
}
