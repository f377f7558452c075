//! The frame: one header with a checksum, one body. Pure; see `docs/format/peer.md`.

use bytes::{Buf, Bytes, BytesMut};
use std::fmt;
use synod_codec::{checksum, extend_checksum};
use synod_consensus::GroupId;

/// The first four bytes of every frame, "SYNP" as they stand on the wire.
pub const FRAME_MAGIC: u32 = u32::from_le_bytes(*b"SYNP");

/// Magic, length, checksum, kind, group.
pub const FRAME_HEADER_BYTES: usize = 4 + 4 + 4 + 1 + 8;

/// Where the checksum stands in the header.
const CHECKSUM_OFFSET: usize = 8;

/// Where the bytes behind the checksum start.
const CHECKED_OFFSET: usize = CHECKSUM_OFFSET + 4;

/// What a frame is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameKind {
    /// The dialler's greeting.
    Hello,
    /// The acceptor's greeting.
    Welcome,
    /// Either side will not talk, and says why.
    Refuse,
    /// A message between two members of the group named in the header.
    Group,
    /// The dialler asks for a sign of life.
    Ping,
    /// The acceptor gives it.
    Pong,
}

impl FrameKind {
    fn tag(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Welcome => 2,
            Self::Refuse => 3,
            Self::Group => 4,
            Self::Ping => 5,
            Self::Pong => 6,
        }
    }

    fn of_tag(tag: u8) -> Result<Self, FrameError> {
        match tag {
            1 => Ok(Self::Hello),
            2 => Ok(Self::Welcome),
            3 => Ok(Self::Refuse),
            4 => Ok(Self::Group),
            5 => Ok(Self::Ping),
            6 => Ok(Self::Pong),
            other => Err(FrameError::UnknownKind(other)),
        }
    }
}

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What it is for.
    pub kind: FrameKind,
    /// Which group it concerns; zero where the kind concerns none.
    pub group: GroupId,
    /// The kind's own format.
    pub body: Bytes,
}

impl Frame {
    /// A frame that concerns no group.
    #[must_use]
    pub fn of_connection(kind: FrameKind, body: Bytes) -> Self {
        Self { kind, group: GroupId(0), body }
    }

    /// What it takes on the wire.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.body.len()
    }

    /// Appends its wire form.
    ///
    /// # Panics
    /// If the body is longer than four gibibytes; senders keep it below
    /// [`crate::limits::FRAME_BODY_BYTES_MAX`].
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.body.len()).expect("senders bound the body");
        let mut header = [0u8; FRAME_HEADER_BYTES];
        header[0..4].copy_from_slice(&FRAME_MAGIC.to_le_bytes());
        header[4..8].copy_from_slice(&length.to_le_bytes());
        header[12] = self.kind.tag();
        header[13..21].copy_from_slice(&self.group.0.to_le_bytes());
        let sum = frame_checksum(&header, &self.body);
        header[8..12].copy_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(&self.body);
    }
}

/// Covers everything but the magic and itself.
fn frame_checksum(header: &[u8; FRAME_HEADER_BYTES], body: &[u8]) -> u32 {
    let sum = checksum(&header[4..CHECKSUM_OFFSET]);
    let sum = extend_checksum(sum, &header[CHECKED_OFFSET..]);
    extend_checksum(sum, body)
}

/// Why bytes are not a frame. The connection they came over cannot be read any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// Not the first bytes of a frame: something else than a node is talking.
    Magic(u32),
    /// The length is over the limit in force.
    TooLong {
        /// What the header says, in bytes.
        length: usize,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// The bytes changed on their way.
    Checksum,
    /// A kind that this version does not know.
    UnknownKind(u8),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(found) => write!(f, "no frame starts with {found:#010x}"),
            Self::TooLong { length, limit } => {
                write!(f, "a frame of {length} bytes is over the limit of {limit}")
            }
            Self::Checksum => write!(f, "the checksum does not match"),
            Self::UnknownKind(kind) => write!(f, "unknown frame kind {kind}"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Cuts a stream of bytes into frames. It holds what has come and nothing else: a length in a header
/// reserves no memory.
#[derive(Debug)]
pub struct FrameReader {
    buffer: BytesMut,
    body_bytes_max: usize,
}

impl FrameReader {
    /// Accepts bodies of up to `body_bytes_max` bytes.
    #[must_use]
    pub fn new(body_bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), body_bytes_max }
    }

    /// Changes the limit for the frames that follow.
    pub fn set_body_bytes_max(&mut self, body_bytes_max: usize) {
        self.body_bytes_max = body_bytes_max;
    }

    /// Where the next bytes of the stream are appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole frame; `None` until more bytes have come.
    ///
    /// # Errors
    /// The stream cannot be read any further.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        self.check_magic()?;
        let Some(header) = self.buffer.first_chunk::<FRAME_HEADER_BYTES>().copied() else {
            return Ok(None);
        };
        let length = self.body_length(&header)?;
        if self.buffer.len() < FRAME_HEADER_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(FRAME_HEADER_BYTES);
        let body = self.buffer.split_to(length).freeze();
        decode_whole(&header, body).map(Some)
    }

    /// Looks at the magic as soon as it is there, so that a stranger is told apart at once.
    fn check_magic(&self) -> Result<(), FrameError> {
        match self.buffer.first_chunk::<4>() {
            Some(magic) if u32::from_le_bytes(*magic) != FRAME_MAGIC => {
                Err(FrameError::Magic(u32::from_le_bytes(*magic)))
            }
            _ => Ok(()),
        }
    }

    fn body_length(&self, header: &[u8; FRAME_HEADER_BYTES]) -> Result<usize, FrameError> {
        let length = u32_at(header, 4);
        let length = usize::try_from(length).expect("usize has at least 32 bits here");
        let limit = self.body_bytes_max;
        if length > limit { Err(FrameError::TooLong { length, limit }) } else { Ok(length) }
    }
}

fn decode_whole(header: &[u8; FRAME_HEADER_BYTES], body: Bytes) -> Result<Frame, FrameError> {
    if u32_at(header, CHECKSUM_OFFSET) != frame_checksum(header, &body) {
        return Err(FrameError::Checksum);
    }
    let kind = FrameKind::of_tag(header[12])?;
    let group = header[13..21].try_into().expect("the header has 21 bytes");
    Ok(Frame { kind, group: GroupId(u64::from_le_bytes(group)), body })
}

fn u32_at(header: &[u8; FRAME_HEADER_BYTES], offset: usize) -> u32 {
    let bytes = header[offset..offset + 4].try_into().expect("the offset lies in the header");
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 1024;

    fn any_frame() -> impl Strategy<Value = Frame> {
        let body = proptest::collection::vec(any::<u8>(), 0..LIMIT);
        (1u8..=6, any::<u64>(), body).prop_map(|(kind, group, body)| Frame {
            kind: FrameKind::of_tag(kind).unwrap(),
            group: GroupId(group),
            body: body.into(),
        })
    }

    fn read_all(raw: &[u8], piece: usize) -> Result<Vec<Frame>, FrameError> {
        let mut reader = FrameReader::new(LIMIT);
        let mut frames = Vec::new();
        for bytes in raw.chunks(piece) {
            reader.buffer().extend_from_slice(bytes);
            while let Some(frame) = reader.next_frame()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    proptest! {
        #[test]
        fn frames_survive_a_round_trip_in_pieces_of_any_size(
            frames in proptest::collection::vec(any_frame(), 0..5), piece in 1usize..200,
        ) {
            let mut raw = Vec::new();
            frames.iter().for_each(|frame| frame.encode_into(&mut raw));
            prop_assert_eq!(read_all(&raw, piece), Ok(frames));
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>, piece in 1usize..64) {
            let _ = read_all(&raw, piece);
        }

        #[test]
        fn arbitrary_bytes_behind_the_magic_never_panic(raw: Vec<u8>) {
            let mut framed = FRAME_MAGIC.to_le_bytes().to_vec();
            framed.extend(raw);
            let _ = read_all(&framed, 7);
        }

        #[test]
        fn one_changed_byte_is_never_taken_for_a_frame(
            frame in any_frame(), at: proptest::sample::Index, flip in 1u8..,
        ) {
            let mut raw = Vec::new();
            frame.encode_into(&mut raw);
            let at = at.index(raw.len());
            raw[at] ^= flip;
            // A longer length waits for bytes that never come; everything else is an error.
            prop_assert!(read_all(&raw, raw.len()).map_or(true, |frames| frames.is_empty()));
        }
    }

    #[test]
    fn a_hostile_length_is_refused_by_its_header_alone() {
        let mut raw = Vec::new();
        Frame::of_connection(FrameKind::Hello, Bytes::new()).encode_into(&mut raw);
        raw[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        let expected = FrameError::TooLong { length: u32::MAX as usize, limit: LIMIT };
        assert_eq!(read_all(&raw, raw.len()), Err(expected));
    }

    #[test]
    fn the_wire_form_is_the_documented_one() {
        let frame = Frame {
            kind: FrameKind::Group,
            group: GroupId(0x0102),
            body: Bytes::from_static(b"hi"),
        };
        let mut raw = Vec::new();
        frame.encode_into(&mut raw);
        assert_eq!(&raw[0..8], b"SYNP\x02\x00\x00\x00");
        assert_eq!(&raw[12..], b"\x04\x02\x01\x00\x00\x00\x00\x00\x00hi");
        let mut checked = raw[4..8].to_vec();
        checked.extend_from_slice(&raw[12..]);
        assert_eq!(raw[8..12], checksum(&checked).to_le_bytes());
    }
}
