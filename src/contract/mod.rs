//! The contract with firmware, for the people and programs that read it: JSON Schemas, an AsyncAPI
//! document, the page `docs/firmware.md`, and what the daemon would make of a message.
//!
//! Nothing here decides anything: `decode` does. What is written here is made of its numbers and
//! codes, and tests hold one to the other.

mod topics;
mod limits;
mod schema;
mod yaml;
mod asyncapi;
mod pages;
mod verdict;

pub use asyncapi::document as asyncapi;
pub use pages::{firmware_page, readme_section};
pub use schema::{UNSEEN, of as schema, schemas};
pub use topics::{Direction, TOPICS, Topic};
pub use verdict::{
    BirthSaid, KINDS, Placed, Question, Refusal, ReplySaid, StatusSaid, Verdict, judge,
};
pub use yaml::yaml;
