//! Fault 14: five mistakes in three files; and what the command line answers.
