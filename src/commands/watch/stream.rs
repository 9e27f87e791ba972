//! Server-sent events out of the bytes of an answer.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) kind: String,
    pub(super) data: String,
}

/// What came and is not yet a whole event.
#[derive(Debug, Default)]
pub(super) struct Stream {
    waiting: Vec<u8>,
}

impl Stream {
    /// The events that are whole with these bytes; comments are passed over.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        for byte in bytes {
            self.waiting.push(*byte);
            if self.waiting.ends_with(b"\n\n") {
                let block = std::mem::take(&mut self.waiting);
                heard.extend(event(&String::from_utf8_lossy(&block)));
            }
        }
        heard
    }
}

fn event(block: &str) -> Option<Heard> {
    let field = |name: &str| {
        block
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .map(str::to_owned)
    };
    Some(Heard { kind: field("event")?, data: field("data")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_their_bytes_come() {
        let text = ": listening\n\nevent: reading\ndata: {\"a\":\"冰\"}\n\n:\n\nevent: missed\ndata: 3\n\nevent: x";
        for size in 1..text.len() {
            let mut stream = Stream::default();
            let heard: Vec<Heard> =
                text.as_bytes().chunks(size).flat_map(|bytes| stream.take(bytes)).collect();
            let said: Vec<_> = heard.iter().map(|h| (h.kind.as_str(), h.data.as_str())).collect();
            assert_eq!(said, [("reading", "{\"a\":\"冰\"}"), ("missed", "3")], "{size}");
        }
    }
}
