//! The faults this program must live through, each on the real server where a real one can show it.
//! The numbers are those of the list in ARCHITECTURE.md.

#[path = "../support/mod.rs"]
mod support;

mod town;
mod target;

mod kill;
