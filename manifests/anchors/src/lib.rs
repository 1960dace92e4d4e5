//! Trust anchors on disk: a PEM bundle or a grid CA directory, read and watched.
