//! Measured numbers in few bytes. Sensors speak in decimals, so that most columns are whole numbers
//! of tenths, hundredths … and nothing but those is written.
//!
//! ```text
//! numbers = scale:u8 (0 to 6) ints     each number × 10^scale is whole
//!         | 7 length:varint pco        doubles as they are
//!         | 8 f64le*                   the same, where pco does not pay
//! ```

use pco::{ChunkConfig, standalone};

use super::ints::{self, Effort};

const SCALES: [f64; 7] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];
const PCO: u8 = 7;
const RAW: u8 = 8;

/// Above this not every whole number is a double.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

pub(super) fn push(out: &mut Vec<u8>, numbers: &[f64], effort: Effort) {
    if let Some((scale, wholes)) = decimals(numbers) {
        out.push(scale);
        return ints::push(out, &wholes, effort);
    }
    let raw = numbers.len() * 8;
    if effort == Effort::Much
        && let Ok(packed) = standalone::simple_compress(numbers, &ChunkConfig::default())
        && packed.len() < raw
    {
        out.push(PCO);
        return ints::push_bytes(out, &packed);
    }
    out.push(RAW);
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Reads `count` numbers back; `None` where the bytes do not hold them.
pub(super) fn read(rest: &mut &[u8], count: usize) -> Option<Vec<f64>> {
    match ints::read_byte(rest)? {
        PCO => {
            let numbers = standalone::simple_decompress::<f64>(ints::read_bytes(rest)?).ok()?;
            (numbers.len() == count).then_some(numbers)
        }
        RAW => {
            let (raw, after) = rest.split_at_checked(count.checked_mul(8)?)?;
            *rest = after;
            Some(raw.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
        }
        scale => {
            let wholes = ints::read(rest, count)?;
            let divisor = *SCALES.get(usize::from(scale))?;
            Some(wholes.into_iter().map(|whole| to_double(whole) / divisor).collect())
        }
    }
}

/// The smallest scale at which all numbers are whole, and those wholes.
pub(super) fn decimals(numbers: &[f64]) -> Option<(u8, Vec<i64>)> {
    let mut scale = 0;
    for number in numbers {
        while whole(*number, *SCALES.get(scale)?).is_none() {
            scale += 1;
        }
    }
    let factor = *SCALES.get(scale)?;
    let wholes: Option<Vec<i64>> = numbers.iter().map(|number| whole(*number, factor)).collect();
    Some((u8::try_from(scale).ok()?, wholes?))
}

/// The wholes at a scale found by [`decimals`], turned back.
pub(super) fn from_decimal(whole: i64, scale: u8) -> f64 {
    to_double(whole) / SCALES.get(usize::from(scale)).copied().unwrap_or(1.0)
}

/// `number × factor` if that is whole and gives exactly `number` back.
fn whole(number: f64, factor: f64) -> Option<i64> {
    let scaled = (number * factor).round_ties_even();
    if scaled.abs() >= WHOLE_MAX {
        return None;
    }
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "below 2^53")]
    let whole = scaled as i64;
    // Turned back as it will be: -0.0 is whole, but no whole number has its sign.
    ((to_double(whole) / factor).to_bits() == number.to_bits()).then_some(whole)
}

pub(super) fn to_double(whole: i64) -> f64 {
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "written below 2^53")]
    let double = whole as f64;
    double
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_read_back_bit_by_bit(
            numbers in prop_oneof![
                prop::collection::vec(any::<f64>(), 0..100),
                prop::collection::vec((-5000_i32..5000).prop_map(|n| f64::from(n) / 10.0), 0..300),
                prop::collection::vec((-5000_i32..5000).prop_map(|n| f64::from(n) / 1000.0), 0..300),
                prop::collection::vec((-50_f32..50.0).prop_map(f64::from), 0..300),
            ],
            much in any::<bool>(),
        ) {
            let mut bytes = Vec::new();
            push(&mut bytes, &numbers, if much { Effort::Much } else { Effort::Little });
            let mut rest = bytes.as_slice();
            let read: Vec<u64> =
                read(&mut rest, numbers.len()).unwrap().into_iter().map(f64::to_bits).collect();
            prop_assert_eq!(read, numbers.into_iter().map(f64::to_bits).collect::<Vec<_>>());
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn rubbish_is_none_not_a_panic(bytes in any::<Vec<u8>>(), count in 0_usize..1000) {
            read(&mut bytes.as_slice(), count);
        }
    }

    #[test]
    fn tenths_are_written_as_whole_numbers() {
        assert_eq!(decimals(&[-0.0]), None, "it would lose its sign");
        assert_eq!(decimals(&[4.1, -0.3, 4.0]), Some((1, vec![41, -3, 40])));
        assert_eq!(decimals(&[0.1 + 0.2]), None);
    }
}
