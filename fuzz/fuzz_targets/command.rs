//! Commands of the key space: decoding never panics, and what decodes survives a round trip.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use synod_mvcc::{Command, LeaseQuestion, LeaseTime};

fuzz_target!(|raw: &[u8]| {
    let bytes = Bytes::copy_from_slice(raw);
    if let Ok(command) = Command::decode(bytes.clone()) {
        assert_eq!(Command::decode(command.encode()), Ok(command));
    }
    let _ = LeaseQuestion::decode(bytes.clone());
    let _ = LeaseTime::decode(bytes);
});
