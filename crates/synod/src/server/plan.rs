//! What the flags amount to: checked, with defaults filled in, before anything is touched. Pure.

use super::flags::{ClusterState, StartFlags};
use super::url::HostPort;
use std::collections::BTreeMap;
use std::path::PathBuf;
use synod_consensus::Protocol;

/// A checked start.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) data_directory: PathBuf,
    pub(crate) listen_client: Vec<HostPort>,
    pub(crate) listen_peer: Vec<HostPort>,
    /// Empty: where it listens.
    pub(crate) advertise_client: Vec<String>,
    /// Empty: where it listens.
    pub(crate) advertise_peer: Vec<String>,
    /// Name to peer URL. Empty: this node alone.
    pub(crate) initial_cluster: BTreeMap<String, String>,
    pub(crate) may_found: bool,
    pub(crate) cluster_token: String,
    /// `None`: what the data directory was made with, or the default.
    pub(crate) consensus: Option<Protocol>,
    pub(crate) quota_bytes: Option<u64>,
    pub(crate) journal: Option<PathBuf>,
    pub(crate) exit_with_stdin: bool,
}

/// The longest name of a node, in bytes.
const NAME_BYTES_MAX: usize = 255;

impl Plan {
    /// Checks the flags.
    ///
    /// # Errors
    /// What is wrong, naming the flag.
    pub(crate) fn of_flags(flags: StartFlags) -> Result<Self, String> {
        check_name("name", &flags.name)?;
        let listen_client = parse_all("listen-client-urls", &flags.listen_client_urls)?;
        let listen_peer = parse_all("listen-peer-urls", &flags.listen_peer_urls)?;
        parse_all_if_any("advertise-client-urls", &flags.advertise_client_urls)?;
        let advertised = "initial-advertise-peer-urls";
        parse_all_if_any(advertised, &flags.initial_advertise_peer_urls)?;
        if !flags.insecure {
            check_loopback("listen-client-urls", &listen_client)?;
            check_loopback("listen-peer-urls", &listen_peer)?;
        }
        let default_directory = || PathBuf::from(format!("{}.synod", flags.name));
        Ok(Self {
            data_directory: flags.data_dir.clone().unwrap_or_else(default_directory),
            listen_client,
            listen_peer,
            advertise_client: flags.advertise_client_urls,
            advertise_peer: flags.initial_advertise_peer_urls,
            initial_cluster: parse_cluster(&flags.initial_cluster)?,
            may_found: flags.initial_cluster_state == ClusterState::New,
            cluster_token: flags.initial_cluster_token,
            consensus: flags.consensus,
            quota_bytes: Some(flags.quota_backend_bytes).filter(|bytes| *bytes > 0),
            journal: flags.journal,
            exit_with_stdin: flags.exit_with_stdin,
            name: flags.name,
        })
    }
}

fn check_name(flag: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.contains(['=', ',']) {
        return Err(format!(
            "--{flag}: '{name}' is no name: use 1 to {NAME_BYTES_MAX} bytes without '=' and ','"
        ));
    }
    Ok(())
}

fn parse_all(flag: &str, urls: &[String]) -> Result<Vec<HostPort>, String> {
    if urls.is_empty() {
        return Err(format!("--{flag}: at least one URL is needed, such as http://127.0.0.1:2379"));
    }
    parse_all_if_any(flag, urls)
}

fn parse_all_if_any(flag: &str, urls: &[String]) -> Result<Vec<HostPort>, String> {
    urls.iter().map(|url| HostPort::parse(flag, url)).collect()
}

fn check_loopback(flag: &str, places: &[HostPort]) -> Result<(), String> {
    match places.iter().find(|place| !place.is_loopback()) {
        None => Ok(()),
        Some(place) => Err(format!(
            "--{flag}: {place} can be reached from other machines, and this release has no TLS yet. \
             Listen on 127.0.0.1, or add --insecure if the network is trusted: whoever reaches the \
             port can read and write everything"
        )),
    }
}

/// `name=url,name=url`. Of several URLs of one name the first is dialled.
fn parse_cluster(list: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut cluster = BTreeMap::new();
    for item in list {
        let flag = "initial-cluster";
        let (name, url) = item
            .split_once('=')
            .ok_or_else(|| format!("--{flag}: '{item}' is not NAME=URL, as n1=http://host:2380"))?;
        check_name(flag, name)?;
        let place = HostPort::parse(flag, url)?;
        if place.port == 0 {
            return Err(format!("--{flag}: '{item}' needs a port that other nodes can dial"));
        }
        cluster.entry(name.to_owned()).or_insert_with(|| place.to_string());
    }
    Ok(cluster)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: StartFlags,
    }

    fn plan(arguments: &[&str]) -> Result<Plan, String> {
        let line = Line::try_parse_from([&["synod"], arguments].concat()).unwrap();
        Plan::of_flags(line.flags)
    }

    #[test]
    fn without_flags_it_is_one_node_on_loopback() {
        let plan = plan(&[]).unwrap();
        assert_eq!(plan.listen_client[0].to_string(), "http://127.0.0.1:2379");
        assert_eq!(plan.data_directory, PathBuf::from("default.synod"));
        assert!(plan.initial_cluster.is_empty() && plan.may_found);
        assert_eq!((plan.quota_bytes, plan.consensus), (None, None));
    }

    #[test]
    fn nothing_listens_beyond_loopback_unless_it_is_said() {
        for flag in ["--listen-client-urls", "--listen-peer-urls"] {
            for url in
                ["http://0.0.0.0:2379", "http://10.0.0.1:2379", "http://[::]:1", "http://h:1"]
            {
                let error = plan(&[flag, url]).unwrap_err();
                assert!(error.contains(flag) && error.contains("--insecure"), "{error}");
                assert!(plan(&[flag, url, "--insecure"]).is_ok());
            }
        }
    }

    #[test]
    fn a_cluster_is_read_name_by_name() {
        let list = "a=http://127.0.0.1:1,b=http://127.0.0.1:2,a=http://127.0.0.1:3";
        let plan = plan(&["--initial-cluster", list]).unwrap();
        let names: Vec<_> = plan.initial_cluster.into_iter().collect();
        let expected = [("a", "http://127.0.0.1:1"), ("b", "http://127.0.0.1:2")];
        assert_eq!(names, expected.map(|(name, url)| (name.to_owned(), url.to_owned())));
    }

    #[test]
    fn a_list_that_cannot_be_dialled_is_refused() {
        for list in ["a", "a=127.0.0.1:1", "=http://127.0.0.1:1", "a=http://127.0.0.1:0"] {
            assert!(plan(&["--initial-cluster", list]).unwrap_err().contains("--initial-cluster"));
        }
    }
}
