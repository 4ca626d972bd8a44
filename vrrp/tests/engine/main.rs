//! The engine as its driver sees it: through the public API, on a virtual clock.

mod capture;
mod discards;
mod fixture;
mod golden_vectors;
mod lan;
mod properties;
mod refusals;
mod scenarios;
mod script;
mod signed;
mod standing;
mod state_by_input;
mod succession;
mod table;
mod together;
mod virtual_lan;
mod waits;
