//! A group whose calls are written down, if so wished.

use super::{Fingerprint, Opening, Step};
use crate::{Committed, Group, GroupEffects, Input};
use synod_consensus::Instant;

/// After so many steps the fingerprint of everything given back is written down: often enough to
/// tell where a replay parts, seldom enough to cost nothing.
const STEPS_PER_EXPECT: u32 = 256;

/// See the module's text. Every call on the group goes through here.
#[derive(Debug)]
pub struct Recorded {
    group: Group,
    recorder: Option<Recorder>,
}

#[derive(Debug)]
struct Recorder {
    written: Vec<u8>,
    fingerprint: Fingerprint,
    since_expect: u32,
}

impl Recorded {
    /// Starts a group; what is done with it is recorded if `record`.
    #[must_use]
    pub fn begin(opening: &Opening, record: bool) -> Self {
        let recorder = record.then(|| Recorder {
            written: opening.encode().to_vec(),
            fingerprint: Fingerprint::default(),
            since_expect: 0,
        });
        Self { group: opening.begin(), recorder }
    }

    /// The group, to be looked at.
    #[must_use]
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// [`Group::handle`].
    pub fn handle(&mut self, now: Instant, input: Input) {
        if let Some(recorder) = &mut self.recorder {
            recorder.write(&Step::Handle(now, input.clone()));
        }
        self.group.handle(now, input);
    }

    /// [`Group::take_effects`].
    ///
    /// # Panics
    /// If `out` is not empty: a recording holds what one call gives.
    pub fn take_effects(&mut self, out: &mut GroupEffects) {
        assert!(out.is_empty(), "effects are taken into an empty buffer");
        self.group.take_effects(out);
        if let Some(recorder) = &mut self.recorder {
            recorder.gave(&Step::TakeEffects, out);
        }
    }

    /// [`Group::take_committed`].
    pub fn take_committed(&mut self, bytes_max: usize) -> Vec<Committed> {
        let committed = self.group.take_committed(bytes_max);
        if let Some(recorder) = &mut self.recorder {
            recorder.gave(&Step::TakeCommitted(bytes_max as u64), &committed);
        }
        committed
    }

    /// What was recorded since it was last taken; empty if nothing is.
    pub fn take_recording(&mut self) -> Vec<u8> {
        self.recorder.as_mut().map(|it| std::mem::take(&mut it.written)).unwrap_or_default()
    }

    /// Ends the recording with a last fingerprint, and gives the rest of it.
    pub fn end_recording(&mut self) -> Vec<u8> {
        let Some(mut recorder) = self.recorder.take() else { return Vec::new() };
        recorder.expect();
        recorder.written
    }
}

impl Recorder {
    fn write(&mut self, step: &Step) {
        self.written.extend_from_slice(&step.encode());
    }

    fn gave(&mut self, step: &Step, given: &impl std::fmt::Debug) {
        self.write(step);
        self.fingerprint = self.fingerprint.with(given);
        self.since_expect += 1;
        if self.since_expect >= STEPS_PER_EXPECT {
            self.expect();
        }
    }

    fn expect(&mut self) {
        self.since_expect = 0;
        let fingerprint = self.fingerprint;
        self.write(&Step::Expect(fingerprint));
    }
}
