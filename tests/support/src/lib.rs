//! Starts the real parts that the tests use: our own programs, directories, browsers.
//!
//! Everything runs on loopback, on ports that the system gave, below a temporary folder, and is
//! ended by its process id when the value that started it is dropped.

mod appliance;
mod browser;
mod cache;
mod cloud;
mod directory;
pub mod hosts;
mod monitor;
pub mod oned;
mod origin;
mod ports;
mod programs;
mod reader;
mod repository;
mod requests;

pub use appliance::{Appliance, disk};
pub use browser::Browser;
pub use cache::{Cache, CacheSetup};
pub use cloud::{Cloud, CloudHost, CloudMachine, Mood};
pub use directory::{DIRECTORY_PASSWORD, Directory};
pub use monitor::{Monitor, MonitorSetup};
pub use origin::{Faults, FaultyOrigin, Length, Page, Tally};
pub use ports::{await_listener, free_port};
pub use programs::{
    Output, program, run, tool, tools, unpacked, unpacked_libraries, unpacked_tool,
};
pub use reader::{Got, Readers};
pub use repository::{PASSWORD, Repository, Setup};
pub use requests::Answer;
