//! A device's newest values, as they stand in its row of `devices`.
//!
//! ```text
//! latest = (metric:varint  kind:u8  at:zigzag  value:f64le)*  crc32:u32le
//! ```

use super::{
    block::{Damaged, seal, unseal},
    entry::{Day, Entry, Kind, NameId, join},
    ints,
};
use crate::reading::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Newest {
    pub(super) at: Timestamp,
    pub(super) metric: NameId,
    pub(super) kind: Kind,
    pub(super) value: f64,
}

/// Puts `newer` in its metric's place; of two at the same time the one given later stays.
pub(super) fn update(list: &mut Vec<Newest>, newer: Newest) {
    match list.iter_mut().find(|newest| newest.metric == newer.metric) {
        Some(newest) if newest.at <= newer.at => *newest = newer,
        Some(_) => {}
        None => list.push(newer),
    }
}

pub(super) fn update_all(list: &mut Vec<Newest>, day: Day, entries: &[Entry]) {
    for entry in entries {
        let at = join(day, entry.at);
        update(list, Newest { at, metric: entry.metric, kind: entry.kind, value: entry.value });
    }
}

pub(super) fn write(list: &[Newest]) -> Vec<u8> {
    let mut out = Vec::with_capacity(list.len() * 18 + 4);
    for newest in list {
        ints::push_varint(&mut out, u64::from(newest.metric));
        out.push(newest.kind.code());
        ints::push_zigzag(&mut out, newest.at.0);
        out.extend_from_slice(&newest.value.to_le_bytes());
    }
    seal(&mut out);
    out
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Newest>, Damaged> {
    let mut rest = unseal(bytes)?;
    let mut list = Vec::new();
    while !rest.is_empty() {
        list.push(read_one(&mut rest).ok_or(Damaged)?);
    }
    Ok(list)
}

fn read_one(rest: &mut &[u8]) -> Option<Newest> {
    let metric = NameId::try_from(ints::read_varint(rest)?).ok()?;
    let kind = Kind::from_code(ints::read_byte(rest)?)?;
    let at = Timestamp(ints::read_zigzag(rest)?);
    let (value, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(Newest { at, metric, kind, value: f64::from_le_bytes(*value) })
}
