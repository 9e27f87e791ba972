//! Fault 11: a webhook target that is down, slow, or says no.
