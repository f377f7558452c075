//! What all services of one face share: the backend, the limits, the gate before large reads, and
//! the sign that the server is closing.

use crate::backend::Backend;
use crate::errors::{failure, refusal};
use crate::header::check_leader;
use crate::limits::{Limits, MAX_CONCURRENT_SCANS};
use std::sync::Arc;
use synod_mvcc::{Command, Reader, Reply, Revision};
use tokio::sync::{Semaphore, watch};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

/// The shared part of all services.
#[derive(Clone)]
pub(crate) struct Face<B> {
    pub(crate) backend: B,
    pub(crate) limits: Arc<Limits>,
    pub(crate) closing: Closing,
    scans: Arc<Semaphore>,
}

/// Tells open streams that the server is about to stop.
#[derive(Clone)]
pub(crate) struct Closing(watch::Receiver<bool>);

impl From<watch::Receiver<bool>> for Closing {
    fn from(closing: watch::Receiver<bool>) -> Self {
        Self(closing)
    }
}

impl Closing {
    /// Waits for the sign: `true`, or the end of whoever could give it.
    pub(crate) async fn wait(&mut self) {
        // An error means that the server is gone already: that is the sign too.
        let _ = self.0.wait_for(|closing| *closing).await;
    }

    /// The sign as a future of its own.
    pub(crate) async fn signal(mut self) {
        self.wait().await;
    }
}

impl<B: Backend> Face<B> {
    pub(crate) fn new(backend: B, limits: Limits, closing: Closing) -> Self {
        let scans = Arc::new(Semaphore::new(MAX_CONCURRENT_SCANS));
        Self { backend, limits: Arc::new(limits), closing, scans }
    }

    /// The request's message, once the caller's demands in its metadata are met.
    pub(crate) fn admit<T>(&self, request: Request<T>) -> Result<T, Status> {
        self.check_leader(request.metadata())?;
        Ok(request.into_inner())
    }

    /// Refuses if the caller demands a leader and none is known.
    pub(crate) fn check_leader(&self, metadata: &MetadataMap) -> Result<(), Status> {
        check_leader(&self.backend, metadata)
    }

    /// Proposes once; the answer and the revision after it.
    pub(crate) async fn propose(&self, command: Command) -> Result<(Reply, Revision), Status> {
        let applied = self.backend.propose(command).await.map_err(failure)?;
        Ok((applied.result.map_err(refusal)?, applied.revision))
    }

    /// Waits until the local state is recent enough for a linearizable read.
    pub(crate) async fn linearize(&self) -> Result<(), Status> {
        self.backend.linearize().await.map_err(failure)
    }

    /// Reads the local state: a small read at once, a large one on a thread that may wait for the
    /// disk, at most [`MAX_CONCURRENT_SCANS`] at a time.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        small: bool,
        read: impl FnOnce(&Reader) -> T + Send + 'static,
    ) -> T {
        if small {
            return read(&self.backend.reader());
        }
        let scans = Arc::clone(&self.scans);
        let permit = scans.acquire_owned().await.expect("the gate is never closed");
        let reader = self.backend.reader();
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&reader)
        });
        task.await.expect("a read panics only on a broken invariant, which must not be hidden")
    }
}
