//! Fault 10: a second daemon on the same data directory.
