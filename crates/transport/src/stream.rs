//! Frames over one half of a socket, and the errors that end a connection.

use crate::hello::{Hello, HelloRead};
use crate::limits::{DEAD_AFTER, READ_BYTES};
use crate::{Frame, FrameError, FrameKind, FrameReader, Refusal};
use std::fmt;
use std::io;
use synod_codec::DecodeError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The other side closed it, or the network did.
    Io(io::Error),
    /// Bytes that are no frame.
    Malformed(FrameError),
    /// A frame whose body is not what its kind says.
    Body(DecodeError),
    /// A frame that has no place here.
    Unexpected(FrameKind),
    /// No sign of life.
    Silent,
    /// This side will not talk.
    Refused(Refusal),
    /// The other side will not talk.
    RefusedBy(Refusal),
    /// This node has something new to say of itself, and greets again.
    GreetAgain,
}

impl Ended {
    /// Whether the other side did something that no node does.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Body(_) | Self::Unexpected(_))
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Malformed(error) => write!(f, "malformed frame: {error}"),
            Self::Body(error) => write!(f, "malformed frame body: {error}"),
            Self::Unexpected(kind) => write!(f, "unexpected frame {kind:?}"),
            Self::Silent => write!(f, "no sign of life for {} s", DEAD_AFTER.as_secs()),
            Self::Refused(refusal) | Self::RefusedBy(refusal) => write!(f, "{refusal}"),
            Self::GreetAgain => write!(f, "this node greets again"),
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<FrameError> for Ended {
    fn from(error: FrameError) -> Self {
        Self::Malformed(error)
    }
}

/// Frames that come in.
#[derive(Debug)]
pub(crate) struct Incoming {
    socket: OwnedReadHalf,
    reader: FrameReader,
}

impl Incoming {
    pub(crate) fn new(socket: OwnedReadHalf, body_bytes_max: usize) -> Self {
        Self { socket, reader: FrameReader::new(body_bytes_max) }
    }

    /// The handshake is over: bodies may be larger from now on.
    pub(crate) fn set_body_bytes_max(&mut self, body_bytes_max: usize) {
        self.reader.set_body_bytes_max(body_bytes_max);
    }

    /// The next frame, or the end of the connection when not a byte comes for too long. May be
    /// dropped between polls without losing bytes.
    pub(crate) async fn next(&mut self) -> Result<Frame, Ended> {
        loop {
            if let Some(frame) = self.reader.next_frame()? {
                return Ok(frame);
            }
            self.read_some().await?;
        }
    }

    async fn read_some(&mut self) -> Result<(), Ended> {
        let buffer = self.reader.buffer();
        buffer.reserve(READ_BYTES);
        match timeout(DEAD_AFTER, self.socket.read_buf(buffer)).await {
            Ok(Ok(0)) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Ended::Silent),
        }
    }
}

/// Writes all of `bytes`, or ends the connection: a peer that takes nothing is as good as dead.
pub(crate) async fn write_alive(
    socket: &mut OwnedWriteHalf,
    mut bytes: &[u8],
) -> Result<(), Ended> {
    while !bytes.is_empty() {
        match timeout(DEAD_AFTER, socket.write(bytes)).await {
            Ok(Ok(0)) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
            Ok(Ok(written)) => bytes = &bytes[written..],
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(Ended::Silent),
        }
    }
    Ok(())
}

/// Writes one frame.
pub(crate) async fn write_frame(socket: &mut OwnedWriteHalf, frame: &Frame) -> Result<(), Ended> {
    let mut raw = Vec::with_capacity(frame.wire_bytes());
    frame.encode_into(&mut raw);
    write_alive(socket, &raw).await
}

/// Reads a greeting's body.
pub(crate) fn read_hello(frame: Frame) -> Result<Hello, Ended> {
    match Hello::decode(frame.body).map_err(Ended::Body)? {
        HelloRead::Known(hello) => Ok(hello),
        HelloRead::OtherVersion(version) => Err(Ended::Refused(Refusal::version(version))),
    }
}

/// Tells the other side that, and why, this side will not talk. Best effort: the connection closes
/// whether it listens or not.
pub(crate) async fn tell_refusal(socket: &mut OwnedWriteHalf, refusal: &Refusal) {
    let frame = Frame::of_connection(FrameKind::Refuse, refusal.encode());
    if write_frame(socket, &frame).await.is_ok() {
        let _ = socket.shutdown().await;
    }
}
