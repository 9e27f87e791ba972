//! A condition whose metrics and windows are places in a device's memory.

use std::time::Duration;

use super::{Kept, Window};
use crate::{
    reading::Symbol,
    rule::{Against, Silence, Wanted},
};

#[derive(Debug, PartialEq)]
pub(crate) enum Test {
    Above { cell: usize, limit: f64, clear: f64 },
    Below { cell: usize, limit: f64, clear: f64 },
    Outside { cell: usize, low: f64, high: f64, margin: f64 },
    Against { cells: [usize; 2], how: Against, limit: f64, clear: f64 },
    Is { cell: usize, value: Wanted },
    Faster { window: usize, by: f64 },
    Stuck { window: usize },
    AbsentLink { within: Silence },
    AbsentData { cell: usize, within: Silence },
    Sum { window: usize, limit: f64 },
    Usual { window: usize, times: f64, least: f64 },
    Reaches { window: usize, value: f64, within: Duration },
    Older { cell: usize, than: Duration },
    Expires { date: Symbol, within: Duration },
    Past { date: Symbol, than: Duration },
    During { from: u16, to: u16 },
    Open(bool),
    All(Vec<Test>),
    Any(Vec<Test>),
}

impl Test {
    /// The metrics it asks.
    pub(crate) fn cells(&self, windows: &[Window]) -> Vec<usize> {
        match self {
            Self::Above { cell, .. }
            | Self::Below { cell, .. }
            | Self::Outside { cell, .. }
            | Self::Is { cell, .. }
            | Self::Older { cell, .. }
            | Self::AbsentData { cell, .. } => vec![*cell],
            Self::Against { cells, .. } => cells.to_vec(),
            Self::Faster { window, .. }
            | Self::Stuck { window }
            | Self::Sum { window, .. }
            | Self::Usual { window, .. }
            | Self::Reaches { window, .. } => {
                windows.get(*window).map(|window| window.of.cells(windows)).unwrap_or_default()
            }
            Self::AbsentLink { .. }
            | Self::Expires { .. }
            | Self::Past { .. }
            | Self::During { .. }
            | Self::Open(_) => Vec::new(),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().flat_map(|part| part.cells(windows)).collect()
            }
        }
    }

    /// The silences it waits for: of a metric, or of the device.
    pub(crate) fn silences(&self) -> Box<dyn Iterator<Item = (Option<usize>, Silence)> + '_> {
        match self {
            Self::AbsentLink { within } => Box::new(std::iter::once((None, *within))),
            Self::AbsentData { cell, within } => Box::new(std::iter::once((Some(*cell), *within))),
            Self::All(parts) | Self::Any(parts) => Box::new(parts.iter().flat_map(Self::silences)),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// This one and all inside it.
    pub(crate) fn any_part(&self, wanted: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.any_part(wanted)),
            _ => wanted(self),
        }
    }

    pub(crate) fn looks_at(&self, window: usize) -> bool {
        self.any_part(&|part| matches!(part, Self::Sum { window: at, .. } if *at == window))
    }
}

impl Kept {
    pub(super) fn cells(&self, windows: &[Window]) -> Vec<usize> {
        match self {
            Self::Extremes { cell, .. }
            | Self::Still { cell, .. }
            | Self::Growth { cell }
            | Self::Times { cell }
            | Self::Usual { cell }
            | Self::Course { cell } => vec![*cell],
            Self::Share { part, whole } => vec![*part, *whole],
            Self::Since { cell, record } => vec![*cell, *record],
            Self::Held(test) => test.cells(windows),
            Self::Fired => Vec::new(),
        }
    }
}
