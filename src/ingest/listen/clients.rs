//! Who is connected under which client id, and the last will each left with us.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

/// What is published in a client's name when it goes without a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Will {
    pub topic: String,
    pub payload: Bytes,
    /// Whose it is, as [`crate::journal::Message::sender`].
    pub sender: Arc<str>,
}

/// Shared by all connections.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<Connected>);

#[derive(Debug, Default)]
struct Connected {
    newest: u64,
    by_id: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    go: CancellationToken,
    will: Option<Will>,
}

/// What a client that comes in is told.
#[derive(Debug)]
pub(super) struct Entered {
    /// Tells this connection from an earlier or later one of the same client.
    pub number: u64,
    /// The will of the connection it took over: to be published before anything it sends.
    pub left_behind: Option<Will>,
}

impl Clients {
    /// Lets a client in; a connection with the same client id is told to `go`, and its will is ours.
    pub(super) fn enter(&self, id: &str, will: Option<Will>, go: CancellationToken) -> Entered {
        let mut connected = self.lock();
        connected.newest += 1;
        let number = connected.newest;
        let before = connected.by_id.insert(id.to_owned(), Entry { number, go, will });
        let left_behind = before.and_then(|before| {
            before.go.cancel();
            before.will
        });
        Entered { number, left_behind }
    }

    /// The will of the connection, unless another took it over.
    pub(super) fn leave(&self, id: &str, number: u64) -> Option<Will> {
        let mut connected = self.lock();
        if connected.by_id.get(id)?.number != number {
            return None;
        }
        connected.by_id.remove(id)?.will
    }

    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.lock().by_id.len()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Connected> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn will(topic: &str) -> Will {
        Will { topic: topic.to_owned(), payload: Bytes::new(), sender: "x".into() }
    }

    #[test]
    fn the_second_takes_over_the_first_and_gets_its_will() {
        let clients = Clients::default();
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        let one = clients.enter("a", Some(will("first")), first.clone());
        assert_eq!(one.left_behind, None);
        let two = clients.enter("a", Some(will("second")), second.clone());
        assert_eq!(two.left_behind, Some(will("first")));
        assert!(first.is_cancelled() && !second.is_cancelled());
        assert_eq!(clients.leave("a", one.number), None, "its will is published once");
        assert_eq!(clients.count(), 1);
        assert_eq!(clients.leave("a", two.number), Some(will("second")));
        assert_eq!(clients.count(), 0);
    }
}
