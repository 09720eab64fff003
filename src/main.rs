//! Headwater: where the stream begins.
//!
//! Promise: says what it does, does it or says why not, and ends with a code that tells a scheduler what to do.

use std::process::ExitCode;

fn main() -> ExitCode {
    headwater::cli::main()
}
