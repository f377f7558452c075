//! What a store does about leases as its leadership comes and goes.
//!
//! **What it is.** The lessor's office, without IO: a leader claims the lessor's epoch, reigns once
//! its claim is applied, proposes expiries, and answers questions about leases' time. Hosts hand in
//! what happens and propose what [`LeaseKeeper::poll`] gives.
//!
//! **What always holds.** At most one command of the keeper is under way. It answers only while its
//! own epoch is the one in force and its leadership is the one that claimed it.

use crate::{Applied, Command, Fatal, LeaseId, Lessor, Reader, Renewal, Reply};
use bytes::Bytes;
use std::time::Duration;
use synod_codec::{DecodeError, Writer};
use synod_consensus::{Ballot, Instant, Origin, StoreId};

/// A claim that failed is made again after this long: the group may be electing.
const CLAIM_RETRY: Duration = Duration::from_millis(100);

/// See the module's text.
#[derive(Clone, Debug)]
pub struct LeaseKeeper {
    store: StoreId,
    incarnation: u64,
    lessor: Lessor,
    /// The leadership of this store, while it leads.
    leads: Option<Ballot>,
    /// Numbers the claims of this incarnation.
    claims: u64,
    under_way: Option<UnderWay>,
    claim_not_before: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum UnderWay {
    Claim,
    Expiry,
}

/// What only a confirmed lessor may answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeaseQuestion {
    /// Renew it.
    Renew(LeaseId),
    /// How long does it last?
    TimeToLive(LeaseId),
}

/// What the lessor knows of a lease that exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseTime {
    /// Whole seconds left; the full time to live after a renewal.
    pub left_seconds: i64,
    /// What each renewal grants, in seconds.
    pub granted_seconds: i64,
}

impl LeaseKeeper {
    /// A keeper of a store that does not lead.
    #[must_use]
    pub fn new(store: StoreId, incarnation: u64) -> Self {
        Self {
            store,
            incarnation,
            lessor: Lessor::new(),
            leads: None,
            claims: 0,
            under_way: None,
            claim_not_before: Instant::default(),
        }
    }

    /// This store leads under a ballot, or does not lead.
    pub fn leadership(&mut self, leads: Option<Ballot>) {
        if self.leads != leads {
            self.leads = leads;
            self.lessor.resign();
            self.under_way = None;
            self.claim_not_before = Instant::default();
        }
    }

    fn claimant(&self) -> Origin {
        Origin { store: self.store, incarnation: self.incarnation, sequence: self.claims }
    }

    /// What to propose now, if anything. Its fate comes back through [`LeaseKeeper::applied`] or
    /// [`LeaseKeeper::failed`].
    pub fn poll(&mut self, now: Instant) -> Option<Command> {
        if self.leads.is_none() || self.under_way.is_some() {
            return None;
        }
        if self.lessor.epoch().is_none() {
            if now < self.claim_not_before {
                return None;
            }
            self.claims += 1;
            self.under_way = Some(UnderWay::Claim);
            return Some(Command::LessorEpoch { claimant: self.claimant() });
        }
        let expiry = self.lessor.poll(now)?;
        self.under_way = Some(UnderWay::Expiry);
        Some(expiry)
    }

    /// The command under way was refused, or nobody knows.
    pub fn failed(&mut self, now: Instant) {
        match self.under_way.take() {
            Some(UnderWay::Expiry) => self.lessor.expiry_done(now),
            Some(UnderWay::Claim) => self.claim_not_before = now.after(CLAIM_RETRY),
            None => {}
        }
    }

    /// An entry was applied; `own` if it was the command under way, and `reader` is the state
    /// right behind it.
    pub fn applied(
        &mut self,
        now: Instant,
        applied: &Applied,
        own: bool,
        reader: impl FnOnce() -> Reader,
    ) -> Result<(), Fatal> {
        self.lessor.observe(now, applied);
        if own && self.under_way == Some(UnderWay::Expiry) {
            self.under_way = None;
            self.lessor.expiry_done(now);
        }
        if let Ok(Reply::LessorEpoch { epoch }) = &applied.result {
            self.epoch_began(now, *epoch, &reader())?;
        }
        Ok(())
    }

    fn epoch_began(&mut self, now: Instant, epoch: u64, reader: &Reader) -> Result<(), Fatal> {
        if self.under_way == Some(UnderWay::Claim) && reader.lessor_claimant() == self.claimant() {
            self.under_way = None;
            self.lessor.become_lessor(now, epoch, reader.grants(), &reader.leases()?);
        }
        Ok(())
    }

    /// The state was replaced by a snapshot's: nothing that was known of it holds.
    pub fn state_replaced(&mut self, now: Instant) {
        self.lessor.resign();
        self.failed(now);
    }

    /// The answer to a question, encoded; `None` if this store is not the lessor in force. Its
    /// leadership was confirmed at `confirmed_at` or later, and the state has caught up with that.
    pub fn answer(
        &mut self,
        now: Instant,
        confirmed_at: Instant,
        question: Bytes,
    ) -> Option<Bytes> {
        self.lessor.epoch()?;
        let known = match LeaseQuestion::decode(question).ok()? {
            LeaseQuestion::Renew(lease) => match self.lessor.renew(confirmed_at, lease) {
                Renewal::Renewed { ttl_seconds } => {
                    Some(LeaseTime { left_seconds: ttl_seconds, granted_seconds: ttl_seconds })
                }
                Renewal::NotFound => None,
                // Whether it is ended is decided when the expiry is applied: ask again then.
                Renewal::ExpiryProposed | Renewal::NotLessor => return None,
            },
            LeaseQuestion::TimeToLive(lease) => {
                self.lessor.remaining(now, lease).map(|remaining| LeaseTime {
                    left_seconds: remaining.ttl_seconds,
                    granted_seconds: remaining.granted_seconds,
                })
            }
        };
        Some(LeaseTime::encode(known))
    }

    /// When to poll next.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        match (self.leads, self.under_way, self.lessor.epoch()) {
            (None, _, _) | (_, Some(_), _) => Instant::NEVER,
            (Some(_), None, None) => self.claim_not_before,
            (Some(_), None, Some(_)) => self.lessor.next_timeout(),
        }
    }
}

/// The version of questions and answers, their first byte.
const QUESTION_VERSION: u8 = 1;

fn check_version(input: &mut synod_codec::Reader) -> Result<(), DecodeError> {
    match input.u8()? {
        QUESTION_VERSION => Ok(()),
        other => Err(DecodeError::UnknownTag("question version", u64::from(other))),
    }
}

impl LeaseQuestion {
    /// The question as bytes.
    #[must_use]
    pub fn encode(self) -> Bytes {
        let (tag, lease) = match self {
            Self::Renew(lease) => (1, lease),
            Self::TimeToLive(lease) => (2, lease),
        };
        let mut out = Writer::new();
        out.u8(QUESTION_VERSION).u8(tag).signed(lease.0);
        out.into_bytes()
    }

    /// The question that `bytes` hold.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let mut input = synod_codec::Reader::new(bytes);
        check_version(&mut input)?;
        let (tag, lease) = (input.u8()?, LeaseId(input.signed()?));
        input.finish()?;
        match tag {
            1 => Ok(Self::Renew(lease)),
            2 => Ok(Self::TimeToLive(lease)),
            other => Err(DecodeError::UnknownTag("question", u64::from(other))),
        }
    }
}

impl LeaseTime {
    /// An answer as bytes; `None` when there is no such lease.
    #[must_use]
    pub fn encode(known: Option<Self>) -> Bytes {
        let mut out = Writer::new();
        out.u8(QUESTION_VERSION).bool(known.is_some());
        if let Some(time) = known {
            out.signed(time.left_seconds).signed(time.granted_seconds);
        }
        out.into_bytes()
    }

    /// The answer that `bytes` hold.
    pub fn decode(bytes: Bytes) -> Result<Option<Self>, DecodeError> {
        let mut input = synod_codec::Reader::new(bytes);
        check_version(&mut input)?;
        let known = if input.bool()? {
            let (left_seconds, granted_seconds) = (input.signed()?, input.signed()?);
            Some(Self { left_seconds, granted_seconds })
        } else {
            None
        };
        input.finish()?;
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn questions_and_answers_survive_a_round_trip(lease: i64, left: i64, granted: i64) {
            for question in [LeaseQuestion::Renew(LeaseId(lease)), LeaseQuestion::TimeToLive(LeaseId(lease))] {
                prop_assert_eq!(LeaseQuestion::decode(question.encode()), Ok(question));
            }
            let time = LeaseTime { left_seconds: left, granted_seconds: granted };
            for known in [None, Some(time)] {
                prop_assert_eq!(LeaseTime::decode(LeaseTime::encode(known)), Ok(known));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(raw: Vec<u8>) {
            let _ = LeaseQuestion::decode(Bytes::from(raw.clone()));
            let _ = LeaseTime::decode(Bytes::from(raw));
        }
    }
}
