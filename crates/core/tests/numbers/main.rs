//! How numbers and codes are read: against a second library, and for whatever people may type.

mod differential;
mod reading;
