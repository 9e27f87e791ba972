//! Fault 8: messages no device should send.
