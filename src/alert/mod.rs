//! Decides when a device needs somebody, on the stream and never by asking the store.
//!
//! Three questions, three places: *is this bad?* (`judge`), *has it been bad, or good, for long
//! enough?* (`state`), *should someone hear of it?* (`notify`, elsewhere).

mod engine;
mod judge;
mod life;
mod model;
mod plan;
mod state;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod track;
mod verdict;
mod window;

pub use engine::{Engine, Outcome, Restored, Unreadable};
pub use model::{Alert, Happening, Kind, Measured, Reason, Standing, Transition};
pub use verdict::Verdict;
