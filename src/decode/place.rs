//! Where a reading stands in time: by the device's clock, by its uptime, or by receipt.
//!
//! Messages of one device that are placed by receipt and came within one millisecond stand a
//! millisecond apart, in order, so that they stay points of their own. That looks at the group alone
//! and so gives the same when it is decoded again.

use super::{
    Code, Decoded,
    contract::{AHEAD_MS, BACKFILL_MS, OLDEST_MS},
    draft::{Draft, Part},
    message::Incoming,
    token::Refusal,
};
use crate::{
    reading::{Kind, PlacedBy, Reading, Timestamp},
    registry::Device,
};

/// Whether a device's clock may be right.
pub(super) fn is_believed(at: Timestamp, received: Timestamp) -> bool {
    (received.plus_millis(-OLDEST_MS)..=received.plus_millis(AHEAD_MS)).contains(&at)
}

/// Readings older than this are backfill: five minutes or three reports, whichever is longer.
fn is_backfill(at: Timestamp, received: Timestamp, device: &Device) -> bool {
    let reports = i64::try_from(device.reports_every.as_millis()).unwrap_or(i64::MAX);
    let late = BACKFILL_MS.max(reports.saturating_mul(3));
    at < received.plus_millis(-late)
}

/// Gives every reading of a message its place. `started` is when the device had started, where that
/// is needed and known.
pub(super) fn readings(
    incoming: &Incoming<'_>,
    device: &Device,
    kind: Kind,
    draft: &mut Draft,
    started: Option<Timestamp>,
    out: &mut Decoded,
) {
    let received = incoming.message.received;
    if let Some(at) = draft.at.filter(|at| !is_believed(*at, received)) {
        incoming.refuse(out, disbelieved("/at".to_owned(), at));
    }
    let mut base = base(draft, started, received);
    if base.1 == PlacedBy::Receipt {
        base.0 = apart(draft.by_receipt.get(&device.slot).copied(), received);
        draft.by_receipt.insert(device.slot, base.0);
    }
    let draft = &*draft;
    for part in &draft.parts {
        let placed = place(part, base, draft.at, received);
        let Some((at, placed_by, claimed)) = placed else {
            refuse_dt(incoming, part, out);
            continue;
        };
        if let Some(own) = part.at.filter(|at| !is_believed(*at, received)) {
            incoming.refuse(out, disbelieved(part.place.pointer("at"), own));
        }
        if part.samples.is_empty() {
            continue;
        }
        let backfill = is_backfill(at, received, device);
        let (device, message, samples) = (device.slot, incoming.id, part.samples.clone());
        out.readings.push(Reading {
            device,
            message,
            kind,
            at,
            placed_by,
            claimed,
            received,
            backfill,
            samples,
        });
    }
}

/// The message's moment.
fn base(draft: &Draft, started: Option<Timestamp>, received: Timestamp) -> (Timestamp, PlacedBy) {
    if let Some(at) = draft.at.filter(|at| is_believed(*at, received)) {
        return (at, PlacedBy::Device);
    }
    let by_uptime =
        started.zip(draft.up).map(|(started, up)| started.plus_millis(up).min(received));
    match by_uptime.filter(|at| is_believed(*at, received)) {
        Some(at) => (at, PlacedBy::Uptime),
        None => (received, PlacedBy::Receipt),
    }
}

/// The moment of a message that came at `received`, behind the one before it.
fn apart(before: Option<Timestamp>, received: Timestamp) -> Timestamp {
    let behind = before.map(|before| before.plus_millis(1));
    behind.filter(|at| is_believed(*at, received)).map_or(received, |at| at.max(received))
}

type Placed = (Timestamp, PlacedBy, Option<Timestamp>);

/// `None` where `dt` leads out of bounds.
fn place(
    part: &Part,
    base: (Timestamp, PlacedBy),
    claimed: Option<Timestamp>,
    received: Timestamp,
) -> Option<Placed> {
    let dt = part.dt?;
    let (moment, placed_by) = match part.at.filter(|at| is_believed(*at, received)) {
        Some(at) => (at, PlacedBy::Device),
        None => base,
    };
    let claimed = part.at.or(claimed).map(|claimed| claimed.plus_millis(dt));
    let at = moment.plus_millis(dt);
    is_believed(at, received).then_some((at, placed_by, claimed))
}

fn disbelieved(path: String, at: Timestamp) -> Refusal {
    Refusal {
        code: Code::BadTime,
        path,
        found: at.to_string(),
        expected: "a time from 30 days before to 5 minutes after receipt".to_owned(),
    }
}

/// One that could not be read was refused when it was read.
fn refuse_dt(incoming: &Incoming<'_>, part: &Part, out: &mut Decoded) {
    let Some(dt) = part.dt else { return };
    let refusal = Refusal {
        code: Code::BadTime,
        path: part.place.pointer("dt"),
        found: dt.to_string(),
        expected: "a reading from 30 days before to 5 minutes after receipt".to_owned(),
    };
    incoming.refuse(out, refusal);
}
