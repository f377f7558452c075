//! Which keys a command is about: the arguments that `get`, `del` and `watch` share.

use super::problem::Problem;
use super::text;
use clap::Args;

/// One key, a prefix, or a range.
#[derive(Args, Clone, Debug)]
pub(super) struct Keys {
    /// The key; with --prefix, what the keys begin with
    #[arg(required_unless_present = "all")]
    key: Option<String>,

    /// The first key beyond the range that begins at KEY
    #[arg(conflicts_with_all = ["prefix", "from_key", "all"])]
    range_end: Option<String>,

    /// All keys that begin with KEY
    #[arg(short, long, conflicts_with_all = ["from_key", "all"])]
    prefix: bool,

    /// All keys from KEY on
    #[arg(long, conflicts_with = "all")]
    from_key: bool,

    /// All keys
    #[arg(long, conflicts_with = "key")]
    all: bool,
}

/// The two ends of a range on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) key: Vec<u8>,
    pub(super) range_end: Vec<u8>,
}

impl Keys {
    /// Whether exactly one key is meant.
    pub(super) fn is_single(&self) -> bool {
        self.range_end.is_none() && !self.prefix && !self.from_key && !self.all
    }

    /// The range on the wire.
    pub(super) fn span(&self, hex: bool) -> Result<Span, Problem> {
        if self.all {
            return Ok(Span { key: vec![0], range_end: vec![0] });
        }
        let key = text::bytes(self.key.as_deref().unwrap_or_default(), hex)?;
        if key.is_empty() {
            return Err(Problem::Usage("a key is never empty; use --all for every key".into()));
        }
        let range_end = match &self.range_end {
            Some(end) => text::bytes(end, hex)?,
            None if self.prefix => after_prefix(&key),
            None if self.from_key => vec![0],
            None => Vec::new(),
        };
        Ok(Span { key, range_end })
    }
}

/// The first key beyond all that begin with `prefix`; "no end" if there is none.
pub(super) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let Some(last) = prefix.iter().rposition(|&byte| byte != 0xff) else { return vec![0] };
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_carries() {
        assert_eq!(after_prefix(b"a"), b"b");
        assert_eq!(after_prefix(b"a\xff"), b"b");
        assert_eq!(after_prefix(b"\xff\xff"), b"\0");
    }
}
