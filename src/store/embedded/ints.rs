//! Whole numbers in few bytes: of several forms, the one that is smallest for these numbers.
//!
//! ```text
//! ints = 0 (value:zigzag length:varint)*     runs
//!      | 1 zigzag*                           differences from the one before, the first from 0
//!      | 2 zigzag*                           differences of those differences
//!      | 3 length:varint pco[length]         entropy coded; pays from some dozens of numbers on
//! ```
//! How many numbers there are is known to whoever reads. `varint` is LEB128, `zigzag` a varint of
//! n·2 for n ≥ 0 and of −n·2−1 below.

use pco::{ChunkConfig, standalone};

/// How much work to put into writing few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    /// For parts, which are soon folded into days.
    Little,
    /// For days, which stay.
    Much,
}

const RUNS: u8 = 0;
const DIFFERENCES: u8 = 1;
const SECOND_DIFFERENCES: u8 = 2;
const PCO: u8 = 3;

/// Fewer numbers than this never pay for the head of a pco chunk.
const PCO_FROM: usize = 32;

pub(super) fn push(out: &mut Vec<u8>, numbers: &[i64], effort: Effort) {
    let runs = runs(numbers).map(|(value, length)| zigzag_size(value) + varint_size(length)).sum();
    let first = differences(numbers).map(zigzag_size).sum();
    let second = second_differences(numbers).map(zigzag_size).sum();
    let plain = [runs, first, second].into_iter().min().unwrap_or(0);
    if effort == Effort::Much && numbers.len() >= PCO_FROM && plain > PCO_FROM {
        let packed = standalone::simple_compress(numbers, &ChunkConfig::default());
        if let Ok(packed) = packed.as_ref().map(Vec::as_slice)
            && packed.len() < plain
        {
            out.push(PCO);
            push_bytes(out, packed);
            return;
        }
    }
    if runs == plain {
        out.push(RUNS);
        for (value, length) in self::runs(numbers) {
            push_zigzag(out, value);
            push_varint(out, length);
        }
    } else if first == plain {
        out.push(DIFFERENCES);
        differences(numbers).for_each(|difference| push_zigzag(out, difference));
    } else {
        out.push(SECOND_DIFFERENCES);
        second_differences(numbers).for_each(|difference| push_zigzag(out, difference));
    }
}

/// Reads `count` numbers back; `None` where the bytes do not hold them.
pub(super) fn read(rest: &mut &[u8], count: usize) -> Option<Vec<i64>> {
    match read_byte(rest)? {
        RUNS => read_runs(rest, count),
        DIFFERENCES => {
            let mut value = 0_i64;
            read_each(rest, count, |difference| {
                value = value.wrapping_add(difference);
                value
            })
        }
        SECOND_DIFFERENCES => {
            let (mut value, mut step) = (0_i64, 0_i64);
            read_each(rest, count, |difference| {
                step = step.wrapping_add(difference);
                value = value.wrapping_add(step);
                value
            })
        }
        PCO => {
            let numbers = standalone::simple_decompress::<i64>(read_bytes(rest)?).ok()?;
            (numbers.len() == count).then_some(numbers)
        }
        _ => None,
    }
}

fn runs(numbers: &[i64]) -> impl Iterator<Item = (i64, u64)> {
    numbers
        .chunk_by(|a, b| a == b)
        .filter_map(|run| Some((*run.first()?, u64::try_from(run.len()).unwrap_or(u64::MAX))))
}

fn differences(numbers: &[i64]) -> impl Iterator<Item = i64> {
    let mut before = 0_i64;
    numbers.iter().map(move |number| number.wrapping_sub(std::mem::replace(&mut before, *number)))
}

fn second_differences(numbers: &[i64]) -> impl Iterator<Item = i64> {
    let mut before = 0_i64;
    differences(numbers).map(move |step| step.wrapping_sub(std::mem::replace(&mut before, step)))
}

fn read_runs(rest: &mut &[u8], count: usize) -> Option<Vec<i64>> {
    let mut numbers = Vec::with_capacity(count);
    while numbers.len() < count {
        let value = read_zigzag(rest)?;
        let length = usize::try_from(read_varint(rest)?).ok()?;
        if length == 0 || length > count - numbers.len() {
            return None;
        }
        numbers.resize(numbers.len() + length, value);
    }
    Some(numbers)
}

fn read_each(rest: &mut &[u8], count: usize, mut undo: impl FnMut(i64) -> i64) -> Option<Vec<i64>> {
    if count > rest.len() {
        return None;
    }
    (0..count).map(|_| read_zigzag(rest).map(&mut undo)).collect()
}

pub(super) fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

pub(super) fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = read_byte(rest)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A varint that counts things in memory.
pub(super) fn read_count(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(read_varint(rest)?).ok()
}

pub(super) fn push_count(out: &mut Vec<u8>, count: usize) {
    push_varint(out, u64::try_from(count).unwrap_or(u64::MAX));
}

pub(super) fn push_zigzag(out: &mut Vec<u8>, number: i64) {
    push_varint(out, zigzag(number));
}

pub(super) fn read_zigzag(rest: &mut &[u8]) -> Option<i64> {
    let folded = read_varint(rest)?;
    let half = (folded >> 1).cast_signed();
    Some(if folded & 1 == 0 { half } else { !half })
}

pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

pub(super) fn read_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = read_count(rest)?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

pub(super) fn read_byte(rest: &mut &[u8]) -> Option<u8> {
    let (&byte, after) = rest.split_first()?;
    *rest = after;
    Some(byte)
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn zigzag_size(number: i64) -> usize {
    varint_size(zigzag(number))
}

fn varint_size(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros();
    usize::try_from(bits.div_ceil(7)).unwrap_or(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = Vec<i64>> {
        prop_oneof![
            prop::collection::vec(any::<i64>(), 0..100),
            prop::collection::vec(-3_i64..3, 0..300),
            prop::collection::vec(59_900_i64..60_100, 0..300).prop_map(|steps| {
                let sum = |at: &mut i64, step: i64| {
                    *at += step;
                    Some(*at)
                };
                steps.into_iter().scan(0, sum).collect()
            }),
        ]
    }

    proptest! {
        #[test]
        fn numbers_are_read_back(numbers in numbers(), much in any::<bool>()) {
            let effort = if much { Effort::Much } else { Effort::Little };
            let mut bytes = Vec::new();
            push(&mut bytes, &numbers, effort);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(read(&mut rest, numbers.len()), Some(numbers));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn sizes_are_what_is_written(number in any::<i64>()) {
            let mut bytes = Vec::new();
            push_zigzag(&mut bytes, number);
            prop_assert_eq!(bytes.len(), zigzag_size(number));
        }

        #[test]
        fn rubbish_is_none_not_a_panic(bytes in any::<Vec<u8>>(), count in 0_usize..1000) {
            read(&mut bytes.as_slice(), count);
        }
    }
}
