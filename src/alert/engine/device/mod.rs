//! One device: its memory, its rules' states, its timers. Everything here is pure.

mod ask;
mod take;
mod timers;

use std::{sync::Arc, time::Duration};

use crate::{
    alert::{
        cell::Packed,
        life::{Life, Link},
        place::Place,
        plan::Plan,
        state::Change,
        track::Track,
    },
    reading::{MessageId, Timestamp},
};

/// No timer is set.
pub(crate) const NEVER: Timestamp = Timestamp(i64::MAX);

#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) plan: Arc<Plan>,
    pub(crate) heard: Option<Timestamp>,
    pub(crate) late_heard: Option<Timestamp>,
    pub(crate) link: Link,
    pub(crate) interval: Duration,
    /// Seconds between reports of other devices that its rules look at.
    pub(crate) afar: u32,
    /// The number of its boot, folded; zero where it never said one.
    pub(crate) boot: u32,
    /// Since when it is known.
    pub(crate) first: Timestamp,
    /// Silence counts from here on.
    pub(crate) from: Timestamp,
    /// Groups up to this one are in it already.
    pub(crate) applied: u64,
    /// The next moment at which time alone may change something.
    pub(crate) due: Timestamp,
    /// When the engine's queue will look at it.
    pub(crate) queued: Timestamp,
    pub(crate) dirty: bool,
    pub(crate) live: Track,
    /// Late readings take their own course.
    pub(crate) late: Option<Box<Track>>,
}

/// A rule of a device began to hold, or no longer does.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) rule: usize,
    pub(crate) change: Change,
    pub(crate) at: Timestamp,
    pub(crate) since: Timestamp,
    pub(crate) alert: Box<str>,
    pub(crate) late: bool,
    /// The values as they were then; what else the same message says came after it.
    pub(crate) cells: Box<[Packed]>,
}

/// What every question needs to know besides the device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) deaf: bool,
    /// From then on the station is silent, and its devices' silence is no news.
    pub(crate) hushed: Timestamp,
    /// The message that made us ask, and when it came; none where time did.
    pub(crate) message: Option<(MessageId, Timestamp)>,
}

impl Device {
    /// `now`: since when it is known. Silence counts from `from`.
    pub(crate) fn new(
        plan: Arc<Plan>,
        interval: Duration,
        from: Timestamp,
        now: Timestamp,
        place: Place<'_>,
    ) -> Self {
        let mut device = Self {
            plan,
            heard: None,
            late_heard: None,
            link: Link::Alive,
            interval,
            afar: 0,
            boot: 0,
            first: now,
            from,
            applied: 0,
            due: NEVER,
            queued: NEVER,
            dirty: false,
            live: Track::default(),
            late: None,
        };
        device.due = device.first_due(now, place);
        device
    }

    pub(crate) fn life(&self, asking: &Asking<'_>) -> Life {
        Life { deaf: asking.deaf, hushed: asking.hushed, ..self.undisturbed() }
    }

    /// Its presence, if we hear and its station is not silent.
    pub(super) fn undisturbed(&self) -> Life {
        Life {
            heard: self.heard,
            late: self.late_heard,
            link: self.link,
            interval: self.interval,
            from: self.from,
            deaf: false,
            hushed: NEVER,
            afar: Duration::from_secs(self.afar.into()),
            first: self.first,
            least: if self.plan.derived { self.interval * 3 } else { Duration::ZERO },
        }
    }

    /// The same when every clock was moved by so many milliseconds.
    pub(crate) fn shift(&mut self, millis: i64) {
        if millis == 0 {
            return;
        }
        let shift = |at: Timestamp| if at == NEVER { at } else { at.plus_millis(millis) };
        self.heard = self.heard.map(shift);
        self.late_heard = self.late_heard.map(shift);
        self.from = shift(self.from);
        self.due = shift(self.due);
        if let Link::Lost(at) = &mut self.link {
            *at = shift(*at);
        }
        let plan = Arc::clone(&self.plan);
        self.live.shift(&plan, millis);
    }
}
