//! Names of metrics and words, each with the number that stands for it on disk.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;

use super::entry::NameId;
use crate::reading::Symbol;

/// All names, those not yet on disk at the end.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, NameId, FixedState>,
    by_symbol: HashMap<Symbol, NameId, FixedState>,
    saved: usize,
}

impl Names {
    /// Names as they stand on disk, in order of their numbers from 0.
    pub(super) fn saved(list: Vec<Arc<str>>) -> Self {
        let numbered = (0..=NameId::MAX).zip(&list);
        let by_name = numbered.map(|(id, name)| (Arc::clone(name), id)).collect();
        Self { saved: list.len(), list, by_name, by_symbol: HashMap::default() }
    }

    /// The number of a symbol's name; `None` when there are no numbers left.
    pub(super) fn of(&mut self, symbol: Symbol) -> Option<NameId> {
        if let Some(id) = self.by_symbol.get(&symbol) {
            return Some(*id);
        }
        let id = match self.find(symbol.as_str()) {
            Some(id) => id,
            None => self.add(symbol.as_str())?,
        };
        self.by_symbol.insert(symbol, id);
        Some(id)
    }

    pub(super) fn find(&self, name: &str) -> Option<NameId> {
        self.by_name.get(name).copied()
    }

    pub(super) fn get(&self, id: NameId) -> Option<&Arc<str>> {
        self.list.get(usize::from(id))
    }

    /// What [`Self::mark_saved`] is still to be called for.
    pub(super) fn unsaved(&self) -> Vec<(NameId, Arc<str>)> {
        let numbered = (0..=NameId::MAX).zip(&self.list).skip(self.saved);
        numbered.map(|(id, name)| (id, Arc::clone(name))).collect()
    }

    pub(super) fn mark_saved(&mut self, upto: usize) {
        self.saved = self.saved.max(upto);
    }

    fn add(&mut self, name: &str) -> Option<NameId> {
        let id = NameId::try_from(self.list.len()).ok()?;
        let name: Arc<str> = name.into();
        self.list.push(Arc::clone(&name));
        self.by_name.insert(name, id);
        Some(id)
    }
}
