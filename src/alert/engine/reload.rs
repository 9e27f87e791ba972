//! A new registry: what stays keeps its states and timers, what goes takes its alerts along.

use std::sync::Arc;

use super::{Device, Engine, Outcome, saved};
use crate::{
    alert::{
        model::{Happening, Reason},
        plan::Plan,
    },
    reading::{Slot, Timestamp},
    registry::Registry,
    rule::Rule,
};

impl Engine {
    /// Takes a new registry over. Alerts of rules and devices that are gone end as removed.
    pub fn reload(&mut self, registry: Arc<Registry>, now: Timestamp) -> Outcome {
        let before = self.open();
        self.from = self.from.max(now);
        let paths = self.adopt(registry);
        let after = self.open();
        let removed =
            |id: String| Happening::Resolved { id, at: now, reason: Some(Reason::Removed) };
        let gone = before.into_iter().filter(|alert| !after.contains(alert));
        self.requeue();
        Outcome { happenings: gone.map(removed).collect(), devices: paths }
    }

    /// Alerts that people know of.
    fn open(&self) -> std::collections::BTreeSet<String> {
        let devices = self.devices.iter().flatten();
        let tracks = devices.flat_map(|device| {
            device.live.active.iter().chain(device.late.iter().flat_map(|late| &late.active))
        });
        let open = tracks.filter(|active| active.state.is_open());
        open.filter_map(|active| active.alert.as_deref().map(str::to_owned)).collect()
    }

    /// Makes place for every registered device; gives those whose rules changed.
    pub(super) fn adopt(&mut self, registry: Arc<Registry>) -> Vec<Slot> {
        let mut changed = Vec::new();
        self.devices.resize_with(registry.slots(), || None);
        for (index, place) in (0_u32..).zip(0..registry.slots()) {
            let Some(registered) = registry.device(Slot(index)) else {
                if let Some(place) = self.devices.get_mut(place) {
                    *place = None;
                }
                continue;
            };
            let plan = self.plan_for(&registered.rules);
            let from = self.from;
            let Some(place) = self.devices.get_mut(place) else { continue };
            match place {
                None => *place = Some(Box::new(Device::new(plan, registered.reports_every, from))),
                Some(device) => {
                    device.interval = registered.reports_every;
                    if device.plan.rules != plan.rules {
                        saved::carry_over(device, plan);
                        changed.push(Slot(index));
                    }
                    device.due = device.next_due(self.now);
                }
            }
        }
        self.registry = registry;
        self.forget_unused_plans();
        self.requeue();
        changed
    }

    fn plan_for(&mut self, rules: &Arc<[Rule]>) -> Arc<Plan> {
        let address = Arc::as_ptr(rules).cast::<Rule>().addr();
        let plan = self.plans.entry(address);
        Arc::clone(plan.or_insert_with(|| Arc::new(Plan::new(rules))))
    }

    fn forget_unused_plans(&mut self) {
        self.plans.retain(|_, plan| Arc::strong_count(plan) > 1);
    }
}
