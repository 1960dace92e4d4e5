//! Disk images as bytes: measure, compress, inflate, inspect while they arrive.
