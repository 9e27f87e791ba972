//! Annotations as bytes.
//!
//! ```text
//! notes = crc:u32le  count:varint (step:varint)*  count:varint (step:varint  booted:i64le)*
//!         count:varint (step:varint  missing:varint)*
//! step  = index minus the index before it, because most of them are small
//! ```

use super::record::{push_varint, read_varint};
use crate::{decode::Annotations, reading::Timestamp};

pub(super) fn write(annotations: &Annotations) -> Vec<u8> {
    let Annotations { repeats, booted, gaps } = annotations;
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
    rest.is_empty().then_some(annotations)
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

    proptest! {
        #[test]
        fn annotations_are_read_back(
            repeats in any::<Vec<u32>>(),
            booted in any::<Vec<(u32, i64)>>(),
            gaps in any::<Vec<(u32, u64)>>(),
        ) {
            let booted = booted.into_iter().map(|(index, at)| (index, Timestamp(at))).collect();
            let annotations = Annotations { repeats, booted, gaps };
            prop_assert_eq!(read(&write(&annotations)), Some(annotations));
        }

        #[test]
        fn rubbish_is_refused(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(read(&bytes), None);
        }
    }
}
