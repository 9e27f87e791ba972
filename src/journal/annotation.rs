//! Annotations as bytes.
//!
//! ```text
//! notes = crc:u32le  count:varint (step:varint)*  count:varint (step:varint  booted:i64le)*
//!         count:varint (step:varint  missing:varint)*  [count:varint derived*]
//! step  = index minus the index before it, because most of them are small
//! derived = step:varint  flags:u8  at:i64le  occupancy:varint  visits:varint  dwell:varint
//!           drift:i32le  drift_pct:varint  jumps:varint
//! flags = bit 0 occupancy known · bit 1 visits known · bit 2 dwell known · bit 3 anchored
//! ```
//! Notes from before anything was derived end behind the gaps.

use super::record::{push_varint, read_varint};
use crate::{
    decode::{Annotations, Derived, Figures},
    reading::Timestamp,
};

pub(super) fn write(annotations: &Annotations) -> Vec<u8> {
    let Annotations { repeats, booted, gaps, derived } = annotations;
    let mut bytes = vec![0; 4];
    push_count(&mut bytes, repeats.len());
    let mut before = 0;
    for index in repeats {
        push_varint(&mut bytes, u64::from(index.wrapping_sub(before)));
        before = *index;
    }
    push_count(&mut bytes, booted.len());
    before = 0;
    for (index, booted) in booted {
        push_varint(&mut bytes, u64::from(index.wrapping_sub(before)));
        bytes.extend_from_slice(&booted.0.to_le_bytes());
        before = *index;
    }
    push_count(&mut bytes, gaps.len());
    before = 0;
    for (index, missing) in gaps {
        push_varint(&mut bytes, u64::from(index.wrapping_sub(before)));
        push_varint(&mut bytes, *missing);
        before = *index;
    }
    if !derived.is_empty() {
        push_derived(&mut bytes, derived);
    }
    if let Some((sum, body)) = bytes.split_first_chunk_mut::<4>() {
        *sum = crc32fast::hash(body).to_le_bytes();
    }
    bytes
}

/// `None` when the bytes are not what [`write()`] made.
pub(super) fn read(bytes: &[u8]) -> Option<Annotations> {
    let (sum, mut rest) = bytes.split_first_chunk::<4>()?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*sum) {
        return None;
    }
    let rest = &mut rest;
    let mut annotations = Annotations::default();
    let mut before = 0;
    for _ in 0..read_varint(rest)? {
        before = read_index(rest, before)?;
        annotations.repeats.push(before);
    }
    before = 0;
    for _ in 0..read_varint(rest)? {
        before = read_index(rest, before)?;
        let (booted, after) = rest.split_first_chunk::<8>()?;
        *rest = after;
        annotations.booted.push((before, Timestamp(i64::from_le_bytes(*booted))));
    }
    before = 0;
    for _ in 0..read_varint(rest)? {
        before = read_index(rest, before)?;
        annotations.gaps.push((before, read_varint(rest)?));
    }
    if !rest.is_empty() {
        annotations.derived = read_derived(rest)?;
    }
    rest.is_empty().then_some(annotations)
}

fn push_derived(bytes: &mut Vec<u8>, derived: &[Derived]) {
    push_count(bytes, derived.len());
    let mut before = 0;
    for Derived { index, at, figures } in derived {
        let &Figures { occupancy, visits_total, dwell_s, drift, drift_pct, anchored, jumps_total } =
            figures;
        push_varint(bytes, u64::from(index.wrapping_sub(before)));
        before = *index;
        let known = [occupancy.is_some(), visits_total.is_some(), dwell_s.is_some(), anchored];
        bytes.push(known.iter().rev().fold(0, |flags, known| flags << 1 | u8::from(*known)));
        bytes.extend_from_slice(&at.0.to_le_bytes());
        for number in [occupancy, visits_total, dwell_s] {
            push_varint(bytes, u64::from(number.unwrap_or(0)));
        }
        bytes.extend_from_slice(&drift.to_le_bytes());
        push_varint(bytes, u64::from(drift_pct));
        push_varint(bytes, u64::from(jumps_total));
    }
}

fn read_derived(rest: &mut &[u8]) -> Option<Vec<Derived>> {
    let mut derived = Vec::new();
    let mut index = 0;
    for _ in 0..read_varint(rest)? {
        index = read_index(rest, index)?;
        let [flags] = read_bytes(rest)?;
        let at = Timestamp(i64::from_le_bytes(read_bytes(rest)?));
        let mut number = |bit: u8| {
            let number = u32::try_from(read_varint(rest)?).ok()?;
            Some((flags & bit != 0).then_some(number))
        };
        let (occupancy, visits_total, dwell_s) = (number(1)?, number(2)?, number(4)?);
        let drift = i32::from_le_bytes(read_bytes(rest)?);
        let drift_pct = u32::try_from(read_varint(rest)?).ok()?;
        let jumps_total = u32::try_from(read_varint(rest)?).ok()?;
        let anchored = flags & 8 != 0;
        let figures =
            Figures { occupancy, visits_total, dwell_s, drift, drift_pct, anchored, jumps_total };
        derived.push(Derived { index, at, figures });
    }
    Some(derived)
}

fn read_bytes<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

fn read_index(rest: &mut &[u8], before: u32) -> Option<u32> {
    let step = u32::try_from(read_varint(rest)?).ok()?;
    Some(before.wrapping_add(step))
}

fn push_count(bytes: &mut Vec<u8>, count: usize) {
    push_varint(bytes, u64::try_from(count).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Numbers = (Option<u32>, Option<u32>, Option<u32>, i32, u32, bool, u32);

    fn of(index: u32, at: i64, numbers: Numbers) -> Derived {
        let (occupancy, visits_total, dwell_s, drift, drift_pct, anchored, jumps_total) = numbers;
        let figures =
            Figures { occupancy, visits_total, dwell_s, drift, drift_pct, anchored, jumps_total };
        Derived { index, at: Timestamp(at), figures }
    }

    proptest! {
        #[test]
        fn annotations_are_read_back(
            repeats in any::<Vec<u32>>(),
            booted in any::<Vec<(u32, i64)>>(),
            gaps in any::<Vec<(u32, u64)>>(),
            derived in any::<Vec<(u32, i64, Numbers)>>(),
        ) {
            let booted = booted.into_iter().map(|(index, at)| (index, Timestamp(at))).collect();
            let derived = derived.into_iter().map(|(index, at, figures)| of(index, at, figures));
            let derived = derived.collect();
            let annotations = Annotations { repeats, booted, gaps, derived };
            prop_assert_eq!(read(&write(&annotations)), Some(annotations));
        }

        #[test]
        fn rubbish_is_refused(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(read(&bytes), None);
        }
    }
}
