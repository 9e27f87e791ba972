//! Fault 9: one device sends far more than its budget.
