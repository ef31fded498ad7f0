//! Numbers with units, as operators write them: byte sizes, durations, percentages.
