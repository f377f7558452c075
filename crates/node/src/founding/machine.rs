//! The founding's state machine: greetings go in, a record to make durable comes out. Pure.
//!
//! Always holds: a record once chosen to be written is never exchanged for another;
//! [`Founding::hello`] shows it only after [`Founding::recorded`], but names its cluster as soon as it
//! is chosen, so that nobody founds another one with this node meanwhile.

use super::{FoundingMember, FoundingRecord};
use std::collections::BTreeMap;
use std::fmt;
use synod_consensus::{MEMBERS_MAX, Protocol, StoreId};
use synod_transport::{ClusterId, Hello, PROTOCOL_VERSION, Refusal, RefusalCode};

/// What a node knows before it has met anyone.
#[derive(Clone, Debug)]
pub struct FoundingConfig {
    /// Its name.
    pub name: String,
    /// Its disk.
    pub store: StoreId,
    /// Which start of its process.
    pub incarnation: u64,
    /// What it is to run.
    pub consensus: Protocol,
    /// Of the cluster token.
    pub token_hash: u64,
    /// The configured list: name to peer URL, its own included.
    pub list: BTreeMap<String, String>,
    /// Whether it may found a cluster; otherwise it waits to be told of one.
    pub may_found: bool,
    /// The cluster's id, should this node be the one that founds it: drawn at random at every start.
    pub cluster_draw: ClusterId,
}

/// Why a node cannot become, or stay, part of a cluster. It must stop: only an operator can help.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FoundingError {
    /// The configured list lacks the node's own name.
    NameNotListed {
        /// The name.
        name: String,
        /// The names that are listed.
        listed: String,
    },
    /// The configured list is too long.
    TooManyMembers(usize),
    /// The cluster that holds this node's data knows another store under its name.
    NotThisStore {
        /// The node's name.
        name: String,
        /// The cluster.
        cluster: ClusterId,
    },
    /// A peer that belongs to the cluster will not have this node, and will not change its mind.
    Refused {
        /// The peer.
        by: String,
        /// Why, in its words.
        refusal: Refusal,
    },
    /// The cluster that exists is not the one that was configured.
    OtherCluster {
        /// The peer that told of it.
        from: String,
        /// Why it does not fit.
        refusal: Refusal,
    },
}

impl fmt::Display for FoundingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameNotListed { name, listed } => write!(
                f,
                "--initial-cluster names {listed}, but not this node, {name}: list every node with \
                 its peer URL, as name=http://host:port"
            ),
            Self::TooManyMembers(count) => {
                write!(f, "--initial-cluster names {count} nodes, more than {MEMBERS_MAX}")
            }
            Self::NotThisStore { name, cluster } => write!(
                f,
                "the data directory says it belongs to cluster {cluster}, whose record has another \
                 store under the name {name}: its identity file does not belong to it"
            ),
            Self::Refused { by, refusal } => write!(f, "node {by} refuses this node: {refusal}"),
            Self::OtherCluster { from, refusal } => {
                write!(f, "the cluster that node {from} belongs to does not fit: {refusal}")
            }
        }
    }
}

impl std::error::Error for FoundingError {}

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Founding {
    config: FoundingConfig,
    stage: Stage,
    /// The highest incarnation seen of each store, while this process lives.
    incarnations: BTreeMap<StoreId, u64>,
    failure: Option<FoundingError>,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Nobody has founded anything that this node knows of.
    Meeting(BTreeMap<String, StoreId>),
    /// The record is chosen and on its way to the disk.
    Recording(FoundingRecord),
    /// The record is durable.
    Founded(FoundingRecord),
}

impl Founding {
    /// Starts from the record on the disk, if there is one.
    ///
    /// # Errors
    /// The configuration or the record cannot be this node's.
    pub fn new(
        config: FoundingConfig,
        record: Option<FoundingRecord>,
    ) -> Result<Self, FoundingError> {
        let stage = match record {
            Some(record) => {
                check_own(&config, &record)?;
                Stage::Founded(record)
            }
            None => {
                check_list(&config)?;
                Stage::Meeting(BTreeMap::from([(config.name.clone(), config.store)]))
            }
        };
        let mut founding = Self { config, stage, incarnations: BTreeMap::new(), failure: None };
        founding.found_if_complete();
        Ok(founding)
    }

    /// What the node says of itself now.
    #[must_use]
    pub fn hello(&self) -> Hello {
        Hello {
            version: PROTOCOL_VERSION,
            cluster: self.cluster(),
            token_hash: self.config.token_hash,
            consensus: self.config.consensus,
            store: self.config.store,
            name: self.config.name.clone(),
            incarnation: self.config.incarnation,
            founding: self.record().map(FoundingRecord::encode),
        }
    }

    /// The cluster of the record that was chosen, durable or not.
    fn cluster(&self) -> ClusterId {
        match &self.stage {
            Stage::Meeting(_) => ClusterId::NONE,
            Stage::Recording(record) | Stage::Founded(record) => record.cluster,
        }
    }

    /// The durable record.
    #[must_use]
    pub fn record(&self) -> Option<&FoundingRecord> {
        match &self.stage {
            Stage::Founded(record) => Some(record),
            Stage::Meeting(_) | Stage::Recording(_) => None,
        }
    }

    /// A record that the host must make durable, and then report with [`Founding::recorded`].
    #[must_use]
    pub fn to_record(&self) -> Option<&FoundingRecord> {
        match &self.stage {
            Stage::Recording(record) => Some(record),
            Stage::Meeting(_) | Stage::Founded(_) => None,
        }
    }

    /// Why the node must stop, once it must.
    #[must_use]
    pub fn failure(&self) -> Option<&FoundingError> {
        self.failure.as_ref()
    }

    /// Which listed nodes were not met yet, for people. Empty once a record is chosen.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        match &self.stage {
            Stage::Meeting(met) => {
                let names = self.config.list.keys();
                names.filter(|name| !met.contains_key(*name)).map(String::as_str).collect()
            }
            Stage::Recording(_) | Stage::Founded(_) => Vec::new(),
        }
    }

    /// What [`Founding::to_record`] gave is durable.
    ///
    /// # Panics
    /// If there was nothing to record.
    pub fn recorded(&mut self) {
        let Stage::Recording(record) = &self.stage else {
            panic!("only a record that was given out can have been written");
        };
        self.stage = Stage::Founded(record.clone());
    }

    /// A peer has greeted.
    ///
    /// # Errors
    /// This node will not talk to it.
    pub fn meet(&mut self, peer: &Hello) -> Result<(), Refusal> {
        self.check_settings(peer)?;
        match &self.stage {
            Stage::Meeting(met) => match read_record(peer)? {
                Some(record) => self.adopt(peer, record)?,
                None => {
                    self.check_stranger(met, peer)?;
                    self.note_met(peer);
                }
            },
            Stage::Recording(record) | Stage::Founded(record) => check_member(record, peer)?,
        }
        self.check_incarnation(peer)?;
        self.found_if_complete();
        Ok(())
    }

    /// The peer whose address is configured as `by` refuses this node.
    pub fn refused_by(&mut self, by: &str, refusal: &Refusal) {
        let final_code = match refusal.code {
            RefusalCode::OldIncarnation | RefusalCode::SameStore => true,
            // A founded node's own record has its name and its store. So such a refusal speaks of
            // the one that refuses: a wiped disk must not stop the members that tell it of its past.
            RefusalCode::StoreChanged | RefusalCode::UnknownName | RefusalCode::ListsDiffer => {
                self.record().is_none()
            }
            RefusalCode::Version
            | RefusalCode::Token
            | RefusalCode::Consensus
            | RefusalCode::OtherCluster
            | RefusalCode::Misrouted
            | RefusalCode::Joining
            | RefusalCode::Other(_) => false,
        };
        if final_code && self.failure.is_none() {
            let refusal = refusal.clone();
            self.failure = Some(FoundingError::Refused { by: by.to_owned(), refusal });
        }
    }

    fn check_settings(&self, peer: &Hello) -> Result<(), Refusal> {
        let config = &self.config;
        if peer.version != PROTOCOL_VERSION {
            return Err(Refusal::version(peer.version));
        }
        if peer.token_hash != config.token_hash {
            return Err(Refusal::token(&peer.name));
        }
        if peer.store == config.store {
            return Err(Refusal::same_store(&peer.name, peer.store));
        }
        if peer.consensus != config.consensus {
            return Err(Refusal::consensus(&peer.name, config.consensus, peer.consensus));
        }
        Ok(())
    }

    /// A node that, like this one, belongs to nothing yet.
    fn check_stranger(&self, met: &BTreeMap<String, StoreId>, peer: &Hello) -> Result<(), Refusal> {
        if peer.cluster != ClusterId::NONE {
            return Err(Refusal::joining(&peer.name, peer.cluster));
        }
        if peer.name == self.config.name || !self.config.list.contains_key(&peer.name) {
            return Err(Refusal::unknown_name(&peer.name));
        }
        let shared =
            |(name, store): &(&String, &StoreId)| **store == peer.store && **name != peer.name;
        match met.iter().find(shared) {
            Some((other, store)) => Err(Refusal::shared_store(&peer.name, other, *store)),
            None => Ok(()),
        }
    }

    /// Nothing is promised before the record is chosen: a node that was wiped meanwhile is simply
    /// met anew.
    fn note_met(&mut self, peer: &Hello) {
        if let Stage::Meeting(met) = &mut self.stage {
            met.insert(peer.name.clone(), peer.store);
        }
    }

    /// The peer's cluster becomes this node's, if it is the one that was configured.
    fn adopt(&mut self, peer: &Hello, record: FoundingRecord) -> Result<(), Refusal> {
        let fits = check_member(&record, peer).and_then(|()| self.check_record(&record));
        match fits {
            Ok(()) => {
                self.stage = Stage::Recording(record);
                Ok(())
            }
            Err(refusal) => {
                let from = peer.name.clone();
                self.failure
                    .get_or_insert(FoundingError::OtherCluster { from, refusal: refusal.clone() });
                Err(refusal)
            }
        }
    }

    /// Whether a record that a peer tells of has room for this node, as it is configured.
    fn check_record(&self, record: &FoundingRecord) -> Result<(), Refusal> {
        let config = &self.config;
        if record.consensus != config.consensus {
            return Err(Refusal::consensus("record", config.consensus, record.consensus));
        }
        match record.member(&config.name) {
            None => return Err(Refusal::unknown_name(&config.name)),
            Some(member) if member.store != config.store => {
                return Err(Refusal::store_changed(&config.name, member.store, config.store));
            }
            Some(_) => {}
        }
        let same = record.members.iter().map(|member| &member.name).eq(config.list.keys());
        if same { Ok(()) } else { Err(Refusal::lists_differ(&listed(config), &record.names())) }
    }

    fn check_incarnation(&mut self, peer: &Hello) -> Result<(), Refusal> {
        let seen = self.incarnations.entry(peer.store).or_insert(peer.incarnation);
        if peer.incarnation < *seen {
            let (seen, now) = (*seen, peer.incarnation);
            return Err(Refusal::old_incarnation(&peer.name, peer.store, seen, now));
        }
        *seen = peer.incarnation;
        self.bound_incarnations();
        Ok(())
    }

    /// Before the founding a node may be wiped again and again; after it members are few.
    fn bound_incarnations(&mut self) {
        if self.incarnations.len() > 2 * MEMBERS_MAX {
            self.incarnations.clear();
        }
    }

    /// The first name founds, once every listed node was met.
    fn found_if_complete(&mut self) {
        let Stage::Meeting(met) = &self.stage else { return };
        let founds = self.config.list.keys().next() == Some(&self.config.name);
        if !founds || !self.config.may_found || met.len() < self.config.list.len() {
            return;
        }
        let member = |(name, store): (&String, &StoreId)| FoundingMember {
            name: name.clone(),
            store: *store,
            peer_url: self.config.list[name].clone(),
        };
        self.stage = Stage::Recording(FoundingRecord {
            cluster: self.config.cluster_draw,
            consensus: self.config.consensus,
            members: met.iter().map(member).collect(),
        });
    }
}

fn listed(config: &FoundingConfig) -> String {
    config.list.keys().map(String::as_str).collect::<Vec<_>>().join(",")
}

fn check_own(config: &FoundingConfig, record: &FoundingRecord) -> Result<(), FoundingError> {
    match record.member(&config.name) {
        Some(member) if member.store == config.store => Ok(()),
        _ => {
            Err(FoundingError::NotThisStore { name: config.name.clone(), cluster: record.cluster })
        }
    }
}

fn check_list(config: &FoundingConfig) -> Result<(), FoundingError> {
    if !config.list.contains_key(&config.name) {
        let (name, listed) = (config.name.clone(), listed(config));
        return Err(FoundingError::NameNotListed { name, listed });
    }
    if config.list.len() > MEMBERS_MAX {
        return Err(FoundingError::TooManyMembers(config.list.len()));
    }
    Ok(())
}

/// The record that a greeting carries. A greeting that contradicts itself is of another cluster.
fn read_record(peer: &Hello) -> Result<Option<FoundingRecord>, Refusal> {
    let Some(raw) = &peer.founding else { return Ok(None) };
    match FoundingRecord::decode(raw.clone()) {
        Ok(record) if record.cluster == peer.cluster => Ok(Some(record)),
        Ok(record) => Err(Refusal::other_cluster(&peer.name, record.cluster, peer.cluster)),
        Err(_) => Err(Refusal::other_cluster(&peer.name, ClusterId::NONE, peer.cluster)),
    }
}

/// Whether `record` has `peer`, as the store that it says it is.
fn check_member(record: &FoundingRecord, peer: &Hello) -> Result<(), Refusal> {
    if peer.cluster != ClusterId::NONE && peer.cluster != record.cluster {
        return Err(Refusal::other_cluster(&peer.name, record.cluster, peer.cluster));
    }
    match record.member(&peer.name) {
        None => Err(Refusal::unknown_name(&peer.name)),
        Some(member) if member.store != peer.store => {
            Err(Refusal::store_changed(&peer.name, member.store, peer.store))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
