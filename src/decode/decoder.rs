//! Decodes groups as they are appended, with what the devices' earlier messages were.

use std::sync::Arc;

use super::{
    Annotations, Contract, Decoded,
    draft::Draft,
    message::Context,
    once::Trace,
    past::{Noted, Noting, Past, State},
};
use crate::{
    journal::Messages,
    reading::{MessageId, Timestamp},
    registry::Registry,
};

/// Remembers of every device what tells a repeat, a gap and its uptime: 64 bytes each.
#[derive(Debug, Default)]
pub struct Decoder {
    contract: Arc<Contract>,
    state: State,
    draft: Draft,
}

/// Stands for the decoder itself among the paths of devices in [`Decoder::changed_state`].
const OWN_ROW: &str = "";

impl Decoder {
    pub fn new(contract: Arc<Contract>) -> Self {
        Self { contract, ..Self::default() }
    }

    /// What [`again`] needs to come to the same result.
    pub fn contract(&self) -> &Arc<Contract> {
        &self.contract
    }

    /// Decodes one group. Groups come in order and each once.
    pub fn decode(
        &mut self,
        group: u64,
        messages: &Messages,
        registry: &Arc<Registry>,
    ) -> (Decoded, Annotations) {
        self.state.grow(registry.slots());
        let mut noting = Noting { state: &mut self.state, notes: Annotations::default() };
        let mut context = Context {
            contract: &self.contract,
            registry,
            past: &mut noting,
            draft: &mut self.draft,
        };
        let decoded = decode_all(&mut context, group, messages, registry);
        (decoded, noting.notes)
    }

    /// What changed since the last call, by path, for [`Self::restore`] after a restart.
    pub fn changed_state(&mut self, registry: &Registry) -> Vec<(String, Vec<u8>)> {
        let state = &mut self.state;
        let mut rows = Vec::with_capacity(state.changed.len() + 1);
        for slot in std::mem::take(&mut state.changed) {
            if let Some(changed) = state.is_changed.get_mut(slot.index()) {
                *changed = false;
            }
            if let (Some(device), Some(trace)) =
                (registry.device(slot), state.traces.get(slot.index()))
            {
                rows.push((device.path.to_string(), trace.to_bytes()));
            }
        }
        if !rows.is_empty() {
            rows.push((OWN_ROW.to_owned(), state.latest.0.to_le_bytes().to_vec()));
        }
        rows
    }

    /// Takes back what [`Self::changed_state`] gave. Devices that are gone, and rows that cannot be
    /// read, are passed over: what they said is taken as new.
    pub fn restore(
        &mut self,
        rows: impl IntoIterator<Item = (String, Vec<u8>)>,
        registry: &Registry,
    ) {
        self.state.grow(registry.slots());
        for (path, bytes) in rows {
            if path == OWN_ROW {
                let latest = bytes.first_chunk().map(|bytes| i64::from_le_bytes(*bytes));
                self.state.latest = latest.map_or(self.state.latest, Timestamp);
                continue;
            }
            let place = registry
                .find(&path)
                .and_then(|device| self.state.traces.get_mut(device.slot.index()));
            if let (Some(place), Some(trace)) = (place, Trace::from_bytes(&bytes)) {
                *place = trace;
            }
        }
    }
}

/// Decodes a group as it was decoded when [`Decoder::decode`] gave these annotations. Pure.
pub fn again(
    contract: &Contract,
    group: u64,
    messages: &Messages,
    registry: &Arc<Registry>,
    annotations: &Annotations,
) -> Decoded {
    let mut noted = Noted::new(annotations);
    let draft = &mut Draft::default();
    let mut context = Context { contract, registry, past: &mut noted, draft };
    decode_all(&mut context, group, messages, registry)
}

fn decode_all<P: Past>(
    context: &mut Context<'_, P>,
    group: u64,
    messages: &Messages,
    registry: &Arc<Registry>,
) -> Decoded {
    let mut out = Decoded {
        group,
        messages: messages.len(),
        registry: Arc::clone(registry),
        ..Decoded::default()
    };
    context.draft.begin_group();
    out.readings.reserve(usize::try_from(messages.len()).unwrap_or(0));
    for (index, message) in (0_u32..).zip(messages.iter()) {
        context.decode(MessageId { group, index }, &message, &mut out);
        out.received = out.received.max(message.received);
    }
    out
}
