//! What people see. Pure: values in, text with ANSI styles out; [`crate::output`] prints it.

pub(crate) mod age;
pub(crate) mod change;
pub(crate) mod check;
pub(crate) mod definition;
pub(crate) mod describe;
pub(crate) mod finding;
pub(crate) mod instance;
pub(crate) mod list;
pub(crate) mod moves;
mod node;
pub(crate) mod revision;
pub(crate) mod status;
pub(crate) mod sync_group;
pub(crate) mod table;
pub(crate) mod transition;
pub(crate) mod vip;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
