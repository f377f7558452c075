//! Messages between groups' members, and steps of a journal: decoding never panics, and what decodes
//! encodes to something that decodes to the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use synod_codec::Reader;
use synod_group::{decode_message, encode_message};

fuzz_target!(|raw: &[u8]| {
    let bytes = Bytes::copy_from_slice(raw);
    if let Ok(message) = decode_message(bytes.clone()) {
        assert_eq!(decode_message(encode_message(&message)), Ok(message));
    }
    let mut input = Reader::new(bytes);
    while let Ok(Some(step)) = synod_group::journal::read_step(&mut input) {
        let mut again = Reader::new(step.encode());
        assert_eq!(synod_group::journal::read_step(&mut again), Ok(Some(step)));
    }
});
