//! Records of the log: decoding never panics, and what decodes survives a round trip.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use synod_codec::{Reader, Writer};
use synod_storage::Record;

fuzz_target!(|raw: &[u8]| {
    let mut input = Reader::new(Bytes::copy_from_slice(raw));
    while let Ok(record) = Record::decode(&mut input) {
        let mut out = Writer::new();
        record.encode(&mut out);
        assert_eq!(Record::decode(&mut Reader::new(out.into_bytes())), Ok(record));
    }
});
