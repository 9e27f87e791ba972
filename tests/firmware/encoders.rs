//! The encoders, held to the messages of `devices/vectors`.
