//! What the identity file promises on a disk that works.

use super::*;
use synod_storage::RealDisk;

fn disk(directory: &tempfile::TempDir) -> Arc<dyn Disk> {
    Arc::new(RealDisk::open(directory.path()).unwrap())
}

fn start(
    directory: &tempfile::TempDir,
    name: &str,
    consensus: Protocol,
) -> Result<IdentityFile, IdentityError> {
    IdentityFile::start(disk(directory), name, consensus, StoreId(7))
}

#[test]
fn each_start_is_a_later_incarnation_of_the_same_store() {
    let directory = tempfile::tempdir().unwrap();
    for incarnation in 1..5 {
        let draw = StoreId(7 + incarnation);
        let file = IdentityFile::start(disk(&directory), "a", Protocol::Raft, draw).unwrap();
        assert_eq!(file.identity().store, StoreId(8), "the first draw stays");
        assert_eq!(file.identity().incarnation, incarnation);
    }
}

#[test]
fn another_name_or_protocol_is_refused_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    start(&directory, "a", Protocol::Raft).unwrap();
    let name = start(&directory, "b", Protocol::Raft).unwrap_err();
    assert!(name.to_string().contains("--name a"), "{name}");
    let protocol = start(&directory, "a", Protocol::Paxos).unwrap_err();
    assert!(protocol.to_string().contains("--consensus raft"), "{protocol}");
    let identity = IdentityFile::peek(disk(&directory).as_ref()).unwrap().unwrap();
    assert_eq!(identity.incarnation, 1);
}

#[test]
fn a_log_without_an_identity_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join(LOG_DIRECTORY)).unwrap();
    std::fs::write(directory.path().join(LOG_DIRECTORY).join("00000000000000000001.log"), "x")
        .unwrap();
    let error = start(&directory, "a", Protocol::Raft).unwrap_err();
    assert!(matches!(error, IdentityError::DataWithoutIdentity));
}

#[test]
fn a_damaged_identity_is_refused_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    start(&directory, "a", Protocol::Raft).unwrap();
    let path = directory.path().join(IDENTITY_FILE);
    let mut raw = std::fs::read(&path).unwrap();
    *raw.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &raw).unwrap();
    let error = start(&directory, "a", Protocol::Raft).unwrap_err();
    assert!(matches!(error, IdentityError::Format(IdentityFormatError::Checksum)), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), raw);
}
