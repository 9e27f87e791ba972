//! What a device's last messages were: enough to know a repeat, a gap, and when it had started.
//!
//! ```text
//!   known for certain        the last 64 numbers, one bit each
//!   ───────┬─────────────────────┬──────────────────────────────┐
//!          known_from            highest - 63             highest
//! ```
//! A number that leaves the 64 without having come is a gap; what lies under it is forgotten, so that
//! a message that comes later than that is taken (once more, perhaps) and never lost.

#[cfg(test)]
mod tests;

/// Numbers that are told apart one by one.
const WINDOW: u32 = 64;
/// A step this far is not a gap but a new beginning.
const FAR: u32 = 1_000_000;
/// A device that started again seldom gives itself away by less.
const RESTART_S: u32 = 1;
const NEVER: i64 = i64::MAX;

/// One device's memory: its two latest boots, the current one first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Trace {
    runs: [Run; 2],
}

/// What came in one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The boot's number, folded.
    boot: u32,
    /// Where the highest number was placed in time, seconds since 1970; 0 = nowhere.
    placed_s: u32,
    highest: u32,
    known_from: u32,
    /// Bit `n` is set when `highest - n` came; 0 before anything did.
    seen: u64,
    /// When the device had started, ms since 1970.
    pub(super) started: i64,
}

/// What a number is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    New { missing: u64 },
    Repeat,
}

impl Default for Run {
    fn default() -> Self {
        Self { boot: 0, placed_s: 0, highest: 0, known_from: 0, seen: 0, started: NEVER }
    }
}

impl Trace {
    /// The run of a boot, which becomes the current one, and what the run it pushed out never saw.
    pub(super) fn run(&mut self, boot: u64) -> (&mut Run, u64) {
        let boot = fold(boot);
        let [current, previous] = &mut self.runs;
        let mut missing = 0;
        if current.boot != boot || current.is_empty() {
            if previous.boot != boot && !current.is_empty() {
                missing = previous.holes(0);
                *previous = Run { boot, ..Run::default() };
            }
            if !current.is_empty() {
                std::mem::swap(current, previous);
            }
            current.boot = boot;
        }
        (current, missing)
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for run in self.runs {
            for field in [run.boot, run.placed_s, run.highest, run.known_from] {
                bytes.extend_from_slice(&field.to_le_bytes());
            }
            bytes.extend_from_slice(&run.seen.to_le_bytes());
            bytes.extend_from_slice(&run.started.to_le_bytes());
        }
        bytes
    }

    /// `None` when the bytes are not what [`Self::to_bytes`] wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (first, second) = rest.split_at_checked(RUN_BYTES)?;
        Some(Self { runs: [Run::from_bytes(first)?, Run::from_bytes(second)?] })
    }
}

const VERSION: u8 = 1;
const RUN_BYTES: usize = 32;

impl Run {
    /// Takes note of a number, placed at `at_s` by the device's own clock where it has one.
    pub(super) fn take(&mut self, number: u32, at_s: Option<u32>) -> Number {
        if self.seen == 0 {
            return self.begin(number, at_s);
        }
        let Some(step) = number.checked_sub(self.highest).filter(|step| *step > 0) else {
            return self.take_late(number, at_s);
        };
        if step > FAR {
            return self.begin(number, at_s);
        }
        let missing =
            self.holes(WINDOW.saturating_sub(step)) + u64::from(step.saturating_sub(WINDOW));
        self.forget(step);
        self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
        self.highest = number;
        self.placed_s = at_s.unwrap_or(self.placed_s);
        Number::New { missing }
    }

    fn take_late(&mut self, number: u32, at_s: Option<u32>) -> Number {
        let behind = self.highest - number;
        let placed = self.placed_s;
        if behind > 1 && placed > 0 && at_s.is_some_and(|at| at > placed.saturating_add(RESTART_S))
        {
            // Later by its clock but lower by its number: it counts anew and did not say so.
            return self.begin(number, at_s);
        }
        if behind >= WINDOW {
            let known = number >= self.known_from;
            return if known { Number::Repeat } else { Number::New { missing: 0 } };
        }
        if self.seen & (1 << behind) != 0 {
            return Number::Repeat;
        }
        self.seen |= 1 << behind;
        self.known_from = self.known_from.min(number);
        Number::New { missing: 0 }
    }

    fn begin(&mut self, number: u32, at_s: Option<u32>) -> Number {
        let placed_s = at_s.unwrap_or(0);
        *self = Self { placed_s, highest: number, known_from: number, seen: 1, ..*self };
        Number::New { missing: 0 }
    }

    fn is_empty(&self) -> bool {
        self.seen == 0 && self.started == NEVER
    }

    /// Numbers of the window that never came, at least `behind` the highest.
    fn holes(&self, behind: u32) -> u64 {
        u64::from(self.hole_bits(behind).count_ones())
    }

    fn hole_bits(&self, behind: u32) -> u64 {
        let oldest = (self.highest - self.known_from).min(WINDOW - 1);
        if self.seen == 0 || behind > oldest {
            return 0;
        }
        !self.seen & (u64::MAX << behind) & (u64::MAX >> (WINDOW - 1 - oldest))
    }

    /// Before the window moves by `step`: nothing under a hole that leaves it is known any longer.
    fn forget(&mut self, step: u32) {
        if step > WINDOW {
            self.known_from = self.highest + step - (WINDOW - 1);
            return;
        }
        let leaving = self.hole_bits(WINDOW - step);
        if leaving != 0 {
            self.known_from = self.highest - leaving.trailing_zeros() + 1;
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; RUN_BYTES] = bytes.try_into().ok()?;
        let (fields, wide) = bytes.split_at(16);
        let mut fields = fields.chunks_exact(4).filter_map(|field| field.try_into().ok());
        let mut field = || fields.next().map(u32::from_le_bytes);
        let (seen, started) = wide.split_first_chunk()?;
        let run = Self {
            boot: field()?,
            placed_s: field()?,
            highest: field()?,
            known_from: field()?,
            seen: u64::from_le_bytes(*seen),
            started: i64::from_le_bytes(*started.first_chunk()?),
        };
        (run.known_from <= run.highest && (run.seen == 0 || run.seen & 1 == 1)).then_some(run)
    }
}

/// Boots are counted or drawn at random; either way 32 bits tell two of them apart.
fn fold(boot: u64) -> u32 {
    u32::try_from((boot ^ (boot >> 32)) & u64::from(u32::MAX)).unwrap_or(0)
}
