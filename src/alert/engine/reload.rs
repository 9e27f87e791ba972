//! A new registry: what stays keeps its states and timers, what goes takes its alerts along.

use std::sync::Arc;

use super::{
    Device, Engine, Outcome, saved,
    station::{self, Asked, Links},
};
use crate::{
    alert::{
        model::{Happening, Reason},
        place::Place,
        plan::Plan,
    },
    reading::{Slot, Timestamp},
    registry::{self, Registry},
    rule::Rule,
};

impl Engine {
    /// Takes a new registry over. Alerts of rules and devices that are gone end as removed.
    pub fn reload(&mut self, registry: Arc<Registry>, now: Timestamp) -> Outcome {
        let before = self.open();
        self.from = self.from.max(now);
        let paths = self.adopt(registry, now);
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
    pub(super) fn adopt(&mut self, registry: Arc<Registry>, now: Timestamp) -> Vec<Slot> {
        let mut changed = Vec::new();
        let asked = station::asked_of_others(&registry);
        // What devices are asked by others may have changed with the others' rules.
        self.plans.clear();
        self.devices.resize_with(registry.slots(), || None);
        for (index, place) in (0_u32..).zip(0..registry.slots()) {
            let slot = Slot(index);
            let Some(registered) = registry.device(slot) else {
                self.devices.get_mut(place).into_iter().for_each(|place| *place = None);
                continue;
            };
            let plan = self.plan_for(registered, &asked);
            if self.settle(registered, Place::new(&registry, registered), plan, now) {
                changed.push(slot);
            }
        }
        self.links = Links::new(&registry, &mut self.devices);
        self.registry = registry;
        self.forget_unused_plans();
        self.requeue();
        changed
    }

    /// Makes place for one device, or gives it its new rules: true where they changed.
    fn settle(
        &mut self,
        registered: &registry::Device,
        place: Place<'_>,
        plan: Arc<Plan>,
        now: Timestamp,
    ) -> bool {
        let (slot, from, every) = (registered.slot, self.from, registered.reports_every);
        let Some(known) = self.devices.get_mut(slot.index()) else { return false };
        let Some(device) = known else {
            let by_records = plan.asks_records;
            *known = Some(Box::new(Device::new(plan, every, from, now, place)));
            if by_records {
                // Since when it is known must be known after a restart, too.
                self.touch(slot);
            }
            return false;
        };
        device.interval = every;
        let changed = !device.plan.is_same(&plan);
        if changed {
            saved::carry_over(device, plan);
        } else {
            device.plan = plan;
        }
        let due = device.next_due(self.now, place);
        device.due = if device.plan.timed == 0 { due } else { due.min(now) };
        if changed {
            self.touch(slot);
        }
        changed
    }

    fn plan_for(&mut self, registered: &registry::Device, asked: &Asked) -> Arc<Plan> {
        let profile = &registered.profile;
        let rules = &registered.rules;
        let address = (Arc::as_ptr(rules).cast::<Rule>().addr(), Arc::as_ptr(profile).addr());
        let asked = asked.get(&profile.id).map_or(&[][..], Vec::as_slice);
        let plan = self.plans.entry(address);
        Arc::clone(plan.or_insert_with(|| Arc::new(Plan::new(rules, profile, asked))))
    }

    fn forget_unused_plans(&mut self) {
        self.plans.retain(|_, plan| Arc::strong_count(plan) > 1);
    }
}
