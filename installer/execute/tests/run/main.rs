//! Plans carried out on simulated hosts: broken, silent, waiting for each other, and many.

mod goes_wrong;
mod lock;
mod many;
mod simulated;
