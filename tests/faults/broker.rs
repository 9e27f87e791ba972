//! Faults 2 and 10: the broker is killed, the network is cut, another client has our id.
