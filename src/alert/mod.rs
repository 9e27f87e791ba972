//! Decides when a device needs somebody, on the stream and never by asking the store.
//!
//! Three questions, three places: *is this bad?* (`judge`), *has it been bad, or good, for long
//! enough?* (`state`), *should someone hear of it?* (`notify`, elsewhere).

mod cell;
mod course;
mod driver;
mod engine;
mod facts;
mod judge;
mod ledger;
mod life;
mod memory;
mod model;
mod place;
mod plan;
mod pulse;
mod record;
mod remind;
mod state;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod times;
mod track;
mod usual;
mod verdict;
mod window;

pub use driver::{Groups, Input, run};
pub use engine::{Engine, Outcome, Restored, Unreadable};
pub use ledger::{Checkpoint, Ledger, OpenError, Row, SayError, Unavailable};
pub use model::{
    Acknowledgement, Alert, Handling, Happening, Kind, Measured, OWN_DISTRICT, Reason, Standing,
    Transition,
};
pub use record::{BadRecord, Record};
pub use verdict::Verdict;
