//! Headwater against the real programs it works with. `tests/live/bed run` gets these, starts them and runs the tests.
//!
//! Promise: nothing here passes without the program it is about; a test whose variable is not set says so and, where CI=true,
//! fails.

mod broker;
mod consume;
#[path = "../storage/contract.rs"]
mod contract;
mod flink;
mod kafka;
mod line;
mod own_kafka;
mod reconcile;
mod relay;
mod room;
mod running;
mod storage;
mod store;
mod transaction;
mod updater;
mod verify;
#[path = "../wiki/mod.rs"]
mod wiki;
mod world;
