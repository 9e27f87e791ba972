//! Fault 7: a file of ours is damaged at start.
