//! Says each thing once: a peer that is wrong stays wrong for long, and its line must not bury
//! the others.

use crate::limits::REPORTS_REMEMBERED_MAX;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The last thing that was said of each subject.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    said: Mutex<BTreeMap<String, String>>,
}

impl Reports {
    /// Whether `text` is news about `subject`; remembers it.
    pub(crate) fn is_news(&self, subject: &str, text: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.get(subject).is_some_and(|last| last == text) {
            return false;
        }
        if said.len() >= REPORTS_REMEMBERED_MAX {
            said.clear();
        }
        said.insert(subject.to_owned(), text.to_owned());
        true
    }

    /// All is well with `subject`: the next complaint is news again.
    pub(crate) fn forget(&self, subject: &str) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).remove(subject);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_complaint_is_said_once_until_it_changes_or_is_over() {
        let reports = Reports::default();
        assert!(reports.is_news("b", "unreachable"));
        assert!(!reports.is_news("b", "unreachable"));
        assert!(reports.is_news("c", "unreachable"));
        assert!(reports.is_news("b", "refused"));
        reports.forget("b");
        assert!(reports.is_news("b", "refused"));
    }
}
