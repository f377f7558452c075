//! One simulated file: what a reader sees, and what the platter holds.

use super::CrashPolicy;
use super::random::Random;
use crate::SECTOR_BYTES;
use std::collections::BTreeSet;

/// One unsynced sector in so many behind the durable end comes back, after a random crash, as
/// bytes that nobody wrote: a file system may extend a file before it writes the data.
const GARBAGE_ONE_IN: u64 = 8;

#[derive(Clone, Debug, Default)]
pub(super) struct SimFile {
    /// What reads see.
    pub(super) visible: Vec<u8>,
    /// What a power loss cannot take.
    pub(super) durable: Vec<u8>,
    /// Sectors written since they were last synced.
    dirty: BTreeSet<u64>,
}

impl SimFile {
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if offset > self.visible.len() {
            self.set_length(offset);
        }
        if end > self.visible.len() {
            self.visible.resize(end, 0);
        }
        self.visible[offset..end].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.dirty.extend(sector_of(offset)..=sector_of(end - 1));
        }
    }

    pub(super) fn set_length(&mut self, length: usize) {
        let old = self.visible.len();
        self.visible.resize(length, 0);
        if length > old {
            // The zeros are new contents: what stood there before an earlier cut may still be on
            // the platter.
            self.dirty.extend(sector_of(old)..=sector_of(length - 1));
        }
    }

    pub(super) fn sync(&mut self) {
        self.durable = self.keep_all();
        self.dirty.clear();
    }

    /// A sync that fails: some sectors reached the platter, the others never will unless they are
    /// written again, and the operating system calls all of them clean.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        self.durable = self.resolve(CrashPolicy::Random, random);
        self.dirty.clear();
    }

    /// Power is lost: what was not synced is decided.
    pub(super) fn crash(&mut self, policy: CrashPolicy, random: &mut Random) {
        self.durable = self.resolve(policy, random);
        self.visible.clone_from(&self.durable);
        self.dirty.clear();
    }

    fn resolve(&self, policy: CrashPolicy, random: &mut Random) -> Vec<u8> {
        match policy {
            CrashPolicy::LoseAll => self.durable.clone(),
            CrashPolicy::KeepAll => self.keep_all(),
            CrashPolicy::Random => self.tear(random),
        }
    }

    /// Everything that is still to be written reaches the platter. What an earlier sync failed to
    /// write is not among it.
    fn keep_all(&self) -> Vec<u8> {
        let mut result = self.durable.clone();
        result.resize(self.visible.len(), 0);
        self.dirty.iter().for_each(|sector| self.keep(*sector, &mut result));
        result
    }

    fn tear(&self, random: &mut Random) -> Vec<u8> {
        let mut result = self.durable.clone();
        result.resize(self.torn_length(random), 0);
        for sector in &self.dirty {
            let beyond = *sector * SECTOR_BYTES >= self.durable.len() as u64;
            if random.coin() {
                self.keep(*sector, &mut result);
            } else if beyond && random.below(GARBAGE_ONE_IN) == 0 {
                fill_with_garbage(*sector, &mut result, random);
            }
        }
        result
    }

    /// The old length, the new one, or a whole number of sectors between.
    fn torn_length(&self, random: &mut Random) -> usize {
        let (old, new) = (self.durable.len(), self.visible.len());
        match random.below(3) {
            0 => old,
            1 => new,
            _ => {
                let (low, high) = (old.min(new) as u64, old.max(new) as u64);
                let sectors = (high - low) / SECTOR_BYTES;
                (low + random.below(sectors + 1) * SECTOR_BYTES) as usize
            }
        }
    }

    /// The visible sector goes to `result`, as far as that is long.
    fn keep(&self, sector: u64, result: &mut [u8]) {
        let start = (sector * SECTOR_BYTES) as usize;
        let end = (start + SECTOR_BYTES as usize).min(result.len()).min(self.visible.len());
        if start < end {
            result[start..end].copy_from_slice(&self.visible[start..end]);
        }
    }

    pub(super) fn flip_bit(&mut self, offset: usize, bit: u8) {
        for bytes in [&mut self.visible, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 1 << bit;
            }
        }
    }

    pub(super) fn cut(&mut self, length: usize) {
        self.visible.truncate(length);
        self.durable.truncate(length);
        self.dirty.retain(|sector| *sector * SECTOR_BYTES < length as u64);
    }
}

fn sector_of(offset: usize) -> u64 {
    offset as u64 / SECTOR_BYTES
}

fn fill_with_garbage(sector: u64, result: &mut [u8], random: &mut Random) {
    let start = ((sector * SECTOR_BYTES) as usize).min(result.len());
    let end = (start + SECTOR_BYTES as usize).min(result.len());
    result[start..end].iter_mut().for_each(|byte| *byte = random.next() as u8);
}
