//! The monitor: one collector reads the site, everybody else reads the collector's state.
//!
//! ```text
//! oned, services, disks --look--> Observation --fold--> State --+--> pages, JSON, metrics  (web)
//!                        (collector)       (stratus-monitor-state) +--> events               (diary)
//!                                                                +--> history              (rings)
//!                                                                +--> webhook, mail        (alerts)
//! ```
//!
//! Read [`collector`] for how a look goes and what happens when it fails, and `web` for every
//! address on one screen. Nothing here changes anything at the site.

mod alerts;
pub mod collector;
mod diary;
mod figures;
pub mod history;
mod hub;
pub mod probes;
mod service;
pub mod settings;
pub mod status;
mod web;

pub use service::{Service, StartError};
pub use settings::Settings;
