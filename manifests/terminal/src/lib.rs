//! How every command speaks: exit codes, errors with hints, progress, prompts, user settings.
