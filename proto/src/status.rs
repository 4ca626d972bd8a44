//! Status of instances and nodes, as the server answers it.
