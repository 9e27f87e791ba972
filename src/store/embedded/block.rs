//! A block: what one device measured in (a part of) one day. Its metrics share one list of times,
//! for a device measures them together.
//!
//! ```text
//! block  = version:u8  count:varint  times:ints  columns:varint  column*  crc32:u32le
//! column = metric:varint  kind:u8  length:varint  (rows numbers)[length]
//! rows   = 0                        the metric is there at each of the times
//!        | 1 count:varint ints      only at these (indexes into times)
//!        | 2 count:varint ints      at all but these
//! ```
//! Times are milliseconds since midnight UTC, growing; `kind` is 0 number, 1 state, 2 word (the
//! number of its name). The checksum covers all before it. See [`super::ints`] and
//! [`super::numbers`] for the rest.

use super::{
    entry::{Entry, Kind, NameId},
    ints::{self, Effort},
    numbers,
};

const VERSION: u8 = 1;
const EVERY: u8 = 0;
const ONLY: u8 = 1;
const ALL_BUT: u8 = 2;

/// No block of ours holds more times; what claims to is rubbish.
const TIMES_MAX: usize = 1 << 26;

/// The bytes are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its checksum or its content does not fit")]
pub(super) struct Damaged;

/// Writes entries in the order of [`super::entry::settle`].
pub(super) fn write(entries: &[Entry], effort: Effort) -> Vec<u8> {
    let mut times: Vec<u32> = entries.iter().map(|entry| entry.at).collect();
    times.sort_unstable();
    times.dedup();
    let mut out = vec![VERSION];
    ints::push_count(&mut out, times.len());
    let wide: Vec<i64> = times.iter().map(|at| i64::from(*at)).collect();
    ints::push(&mut out, &wide, effort);

    let columns: Vec<Vec<Entry>> =
        entries.chunk_by(|a, b| a.metric == b.metric).flat_map(by_kind).collect();
    ints::push_count(&mut out, columns.len());
    let mut body = Vec::new();
    for column in &columns {
        body.clear();
        push_rows(&mut body, column, &times, effort);
        let values: Vec<f64> = column.iter().map(|entry| entry.value).collect();
        numbers::push(&mut body, &values, effort);
        if let Some(first) = column.first() {
            ints::push_varint(&mut out, u64::from(first.metric));
            out.push(first.kind.code());
            ints::push_bytes(&mut out, &body);
        }
    }
    seal(&mut out);
    out
}

/// Appends the entries of one metric, or of all, to `entries`.
pub(super) fn read(
    block: &[u8],
    metric: Option<NameId>,
    entries: &mut Vec<Entry>,
) -> Result<(), Damaged> {
    let sealed = unseal(block)?;
    let whole = entries.len();
    read_sealed(sealed, metric, entries).ok_or_else(|| {
        entries.truncate(whole);
        Damaged
    })
}

/// Puts a checksum behind what was written.
pub(super) fn seal(out: &mut Vec<u8>) {
    let sum = checksum(out);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// What stands before the checksum, if that fits.
pub(super) fn unseal(bytes: &[u8]) -> Result<&[u8], Damaged> {
    let (sealed, sum) = bytes.split_last_chunk().ok_or(Damaged)?;
    if checksum(sealed) == u32::from_le_bytes(*sum) { Ok(sealed) } else { Err(Damaged) }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn by_kind(metric: &[Entry]) -> impl Iterator<Item = Vec<Entry>> {
    [Kind::Number, Kind::State, Kind::Word].into_iter().filter_map(|kind| {
        let column: Vec<Entry> =
            metric.iter().filter(|entry| entry.kind == kind).copied().collect();
        (!column.is_empty()).then_some(column)
    })
}

fn push_rows(out: &mut Vec<u8>, column: &[Entry], times: &[u32], effort: Effort) {
    if column.len() == times.len() {
        return out.push(EVERY);
    }
    let sparse = column.len() * 2 <= times.len();
    let mut entries = column.iter().peekable();
    let listed: Vec<i64> = (0_i64..)
        .zip(times)
        .filter(|(_, at)| entries.next_if(|entry| entry.at == **at).is_some() == sparse)
        .map(|(row, _)| row)
        .collect();
    out.push(if sparse { ONLY } else { ALL_BUT });
    ints::push_count(out, listed.len());
    ints::push(out, &listed, effort);
}

fn read_sealed(mut rest: &[u8], metric: Option<NameId>, entries: &mut Vec<Entry>) -> Option<()> {
    if ints::read_byte(&mut rest)? != VERSION {
        return None;
    }
    let count = ints::read_count(&mut rest).filter(|count| *count <= TIMES_MAX)?;
    let times: Option<Vec<u32>> =
        ints::read(&mut rest, count)?.into_iter().map(|at| u32::try_from(at).ok()).collect();
    let times = times?;
    for _ in 0..ints::read_count(&mut rest)? {
        let name = NameId::try_from(ints::read_varint(&mut rest)?).ok()?;
        let kind = Kind::from_code(ints::read_byte(&mut rest)?)?;
        let body = ints::read_bytes(&mut rest)?;
        if metric.is_none_or(|metric| metric == name) {
            read_column(body, &times, name, kind, entries)?;
        }
    }
    Some(())
}

fn read_column(
    mut body: &[u8],
    times: &[u32],
    metric: NameId,
    kind: Kind,
    entries: &mut Vec<Entry>,
) -> Option<()> {
    let present = read_rows(&mut body, times)?;
    let values = numbers::read(&mut body, present.len())?;
    let column = present.into_iter().zip(values);
    entries.extend(column.map(|(at, value)| Entry { value, at, metric, kind }));
    Some(())
}

fn read_rows(rest: &mut &[u8], times: &[u32]) -> Option<Vec<u32>> {
    let form = ints::read_byte(rest)?;
    if form == EVERY {
        return Some(times.to_vec());
    }
    let count = ints::read_count(rest).filter(|count| *count <= times.len())?;
    let listed = ints::read(rest, count)?;
    if form == ONLY {
        let time = |row| times.get(usize::try_from(row).ok()?).copied();
        return listed.into_iter().map(time).collect();
    }
    let mut absent = listed.into_iter().peekable();
    let present = (0_i64..).zip(times).filter(|(row, _)| absent.next_if_eq(row).is_none());
    (form == ALL_BUT).then(|| present.map(|(_, at)| *at).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::embedded::entry::settle;

    fn entries() -> impl Strategy<Value = Vec<Entry>> {
        let entry = (0_u32..86_400, 0_u16..4, 0_u8..3, -400_i32..800).prop_map(
            |(second, metric, kind, tenths)| Entry {
                value: f64::from(tenths) / 10.0,
                at: second * 1000,
                metric,
                kind: Kind::from_code(kind).unwrap(),
            },
        );
        prop::collection::vec(entry, 0..200)
    }

    proptest! {
        #[test]
        fn a_block_is_read_back(mut entries in entries(), much in any::<bool>()) {
            settle(&mut entries);
            let block = write(&entries, if much { Effort::Much } else { Effort::Little });
            let mut read_back = Vec::new();
            read(&block, None, &mut read_back).unwrap();
            settle(&mut read_back);
            prop_assert_eq!(&read_back, &entries);
            let mut one = Vec::new();
            read(&block, Some(2), &mut one).unwrap();
            settle(&mut one);
            entries.retain(|entry| entry.metric == 2);
            prop_assert_eq!(one, entries);
        }

        #[test]
        fn a_flipped_bit_is_noticed(mut entries in entries(), place in any::<prop::sample::Index>(), bit in 0_u8..8) {
            settle(&mut entries);
            let mut block = write(&entries, Effort::Much);
            let place = place.index(block.len());
            block[place] ^= 1 << bit;
            prop_assert_eq!(read(&block, None, &mut Vec::new()), Err(Damaged));
        }

        #[test]
        fn rubbish_is_an_error_not_a_panic(mut bytes in any::<Vec<u8>>()) {
            read_sealed(&bytes, None, &mut Vec::new());
            bytes.insert(0, VERSION);
            read_sealed(&bytes, None, &mut Vec::new());
        }
    }
}
