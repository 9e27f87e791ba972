//! What each hour of a day came to, for one metric of one device: what long windows and heat maps
//! are answered from, without touching a single reading.
//!
//! ```text
//! hours = version:u8  present:u24le (bit h = hour h)  kind:u8  counts:ints  body  crc32:u32le
//! body  = last:ints                                                for words
//!       | scale:u8 min:ints (max−min):ints (last−min):ints (sum−min·count):ints
//!       | 8 (min:f64le max:f64le last:f64le sum:f64le)*            where numbers are no decimals
//! ```
//! All but the last form are whole numbers at that scale (see [`super::numbers`]), so that sums are
//! exact. A metric whose kind changed during the day has no summaries that day.

use super::{
    block::{Damaged, seal, unseal},
    entry::{Entry, HOUR, Kind},
    ints::{self, Effort},
    numbers,
};

const VERSION: u8 = 1;
const RAW: u8 = 8;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hour {
    /// 0 to 23, UTC.
    pub(super) of_day: u8,
    pub(super) count: u64,
    /// Zero for words.
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) sum: f64,
    pub(super) last: f64,
    pub(super) kind: Kind,
}

struct Whole {
    min: i64,
    max: i64,
    sum: i64,
    last: i64,
}

/// Summaries of one metric's entries of a day, in order of time.
pub(super) fn write(entries: &[Entry]) -> Option<Vec<u8>> {
    let kind = entries.first()?.kind;
    if entries.iter().any(|entry| entry.kind != kind) {
        return None;
    }
    let hours: Vec<&[Entry]> = entries.chunk_by(|a, b| a.at / HOUR == b.at / HOUR).collect();
    let present = hours.iter().filter_map(|hour| hour.first());
    let present = present.fold(0_u32, |bits, entry| bits | 1_u32 << (entry.at / HOUR));
    let mut out = vec![VERSION];
    out.extend(present.to_le_bytes().iter().take(3));
    out.push(kind.code());
    push(&mut out, hours.iter().map(|hour| i64::try_from(hour.len()).unwrap_or(i64::MAX)));
    let values: Vec<f64> = entries.iter().map(|entry| entry.value).collect();
    match numbers::decimals(&values) {
        Some((scale, wholes)) => push_decimals(&mut out, kind, &hours, scale, &wholes)?,
        None => push_raw(&mut out, &hours),
    }
    seal(&mut out);
    Some(out)
}

/// Reads summaries back, in order of time.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Hour>, Damaged> {
    read_sealed(unseal(bytes)?).ok_or(Damaged)
}

fn push(out: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    ints::push(out, &numbers.collect::<Vec<_>>(), Effort::Little);
}

fn push_decimals(
    out: &mut Vec<u8>,
    kind: Kind,
    hours: &[&[Entry]],
    scale: u8,
    wholes: &[i64],
) -> Option<()> {
    let mut rest = wholes;
    let mut sums = Vec::with_capacity(hours.len());
    for hour in hours {
        let (these, after) = rest.split_at_checked(hour.len())?;
        rest = after;
        sums.push(sum_up(these)?);
    }
    if kind == Kind::Word {
        push(out, sums.iter().map(|sum| sum.last));
        return Some(());
    }
    out.push(scale);
    push(out, sums.iter().map(|sum| sum.min));
    push(out, sums.iter().map(|sum| sum.max - sum.min));
    push(out, sums.iter().map(|sum| sum.last - sum.min));
    push(out, sums.iter().map(|sum| sum.sum));
    Some(())
}

/// `None` where the sum is too large for the form; the day then has no summaries.
fn sum_up(wholes: &[i64]) -> Option<Whole> {
    let (min, max) = (*wholes.iter().min()?, *wholes.iter().max()?);
    let add = |sum: i64, whole: &i64| sum.checked_add(whole.checked_sub(min)?);
    Some(Whole { min, max, sum: wholes.iter().try_fold(0, add)?, last: *wholes.last()? })
}

fn push_raw(out: &mut Vec<u8>, hours: &[&[Entry]]) {
    out.push(RAW);
    for hour in hours {
        let values = hour.iter().map(|entry| entry.value);
        let figures = [
            values.clone().fold(f64::INFINITY, f64::min),
            values.clone().fold(f64::NEG_INFINITY, f64::max),
            values.clone().next_back().unwrap_or_default(),
            values.sum(),
        ];
        for figure in figures {
            out.extend_from_slice(&figure.to_le_bytes());
        }
    }
}

fn read_sealed(mut rest: &[u8]) -> Option<Vec<Hour>> {
    let rest = &mut rest;
    if ints::read_byte(rest)? != VERSION {
        return None;
    }
    let (bits, after) = rest.split_first_chunk::<3>()?;
    *rest = after;
    let [low, middle, high] = *bits;
    let present = u32::from_le_bytes([low, middle, high, 0]);
    let hours: Vec<u8> = (0..24).filter(|hour| present >> hour & 1 == 1).collect();
    let kind = Kind::from_code(ints::read_byte(rest)?)?;
    let counts = ints::read(rest, hours.len())?;
    let figures = read_figures(rest, kind, &counts)?;
    let hour = |((of_day, count), [min, max, last, sum]): ((u8, i64), [f64; 4])| {
        Some(Hour { of_day, count: u64::try_from(count).ok()?, min, max, sum, last, kind })
    };
    hours.into_iter().zip(counts).zip(figures).map(hour).collect()
}

/// Minimum, maximum, last and sum of each hour.
fn read_figures(rest: &mut &[u8], kind: Kind, counts: &[i64]) -> Option<Vec<[f64; 4]>> {
    let n = counts.len();
    if kind == Kind::Word {
        let last = ints::read(rest, n)?;
        return Some(
            last.into_iter().map(|word| [0.0, 0.0, numbers::to_double(word), 0.0]).collect(),
        );
    }
    let scale = ints::read_byte(rest)?;
    if scale == RAW {
        let figure = |bytes: &[[u8; 8]; 4]| bytes.map(f64::from_le_bytes);
        let (raw, _) = rest.as_chunks::<8>();
        return (raw.len() >= n * 4).then(|| raw.as_chunks::<4>().0.iter().map(figure).collect());
    }
    let (min, above) = (ints::read(rest, n)?.into_iter(), ints::read(rest, n)?);
    let (last, sum) = (ints::read(rest, n)?, ints::read(rest, n)?);
    let lists = min.zip(above).zip(last.into_iter().zip(sum.into_iter().zip(counts)));
    let hour = lists.map(|((min, above), (last, (sum, count)))| {
        let sum = i128::from(sum) + i128::from(min) * i128::from(*count);
        let sum = i64::try_from(sum).unwrap_or(i64::MAX);
        [min, min.saturating_add(above), min.saturating_add(last), sum]
            .map(|whole| numbers::from_decimal(whole, scale))
    });
    Some(hour.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::embedded::entry::settle;

    fn model(entries: &[Entry]) -> Vec<Hour> {
        (0_u8..24)
            .filter_map(|hour| {
                let of_hour: Vec<&Entry> =
                    entries.iter().filter(|entry| entry.at / HOUR == u32::from(hour)).collect();
                let last = of_hour.last()?;
                let word = last.kind == Kind::Word;
                let values = || of_hour.iter().map(|e| if word { 0.0 } else { e.value });
                Some(Hour {
                    of_day: hour,
                    count: u64::try_from(of_hour.len()).unwrap(),
                    min: values().fold(f64::INFINITY, f64::min),
                    max: values().fold(f64::NEG_INFINITY, f64::max),
                    sum: values().sum(),
                    last: last.value,
                    kind: last.kind,
                })
            })
            .collect()
    }

    fn check(entries: &mut Vec<Entry>) -> Result<(), TestCaseError> {
        settle(entries);
        let read = read(&write(entries).unwrap()).unwrap();
        let expected = model(entries);
        prop_assert_eq!(read.len(), expected.len());
        for (read, mut expected) in read.into_iter().zip(expected) {
            prop_assert!((read.sum - expected.sum).abs() <= 1e-9 * expected.sum.abs().max(1.0));
            expected.sum = read.sum;
            prop_assert_eq!(read, expected);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn hours_are_what_a_plain_sum_says(
            points in prop::collection::vec((0_u32..86_400_000, -400_i32..800), 1..200),
            divisor in prop::sample::select(vec![1.0, 10.0, 3.0]),
            kind in 0_u8..3,
        ) {
            let kind = Kind::from_code(kind).unwrap();
            let value = |n: i32| match kind {
                Kind::Number => f64::from(n) / divisor,
                Kind::State => f64::from(n.rem_euclid(2)),
                Kind::Word => f64::from(n.rem_euclid(7)),
            };
            let entry = |(at, n)| Entry { value: value(n), at, metric: 1, kind };
            check(&mut points.into_iter().map(entry).collect())?;
        }

        #[test]
        fn rubbish_is_an_error_not_a_panic(mut bytes in any::<Vec<u8>>()) {
            bytes.insert(0, VERSION);
            read_sealed(&bytes);
        }
    }
}
