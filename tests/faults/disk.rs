//! Faults 5 and 6: the journal is full, the disk is full, a write fails.
