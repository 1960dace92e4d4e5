//! Carries a plan to hosts: ssh, journal, locks, progress.
