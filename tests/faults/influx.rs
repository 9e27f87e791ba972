//! Faults 3 and 4: InfluxDB is away, or says no.
