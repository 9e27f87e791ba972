//! Fault 12: the clock jumps an hour forward and back.
