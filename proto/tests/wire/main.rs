//! The protocol's conversions from outside: sound values, malformed messages, tampered bytes.

mod malformed;
mod round_trip;
mod strategies;
mod tampered;
