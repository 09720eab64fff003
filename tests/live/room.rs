//! A directory for a test, and the programs that run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A directory that is deleted in the end.
pub struct Room(TempDir);

impl Room {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the room can be written");
    }

    /// Runs headwater with `arguments`, where `$DIR` is this room; its output must come with exit code `code`.
    pub fn headwater(&self, arguments: &str, code: i32) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        self.run(command.args(self.words(arguments)), code)
    }

    /// As [`Room::headwater`], with these variables set.
    pub fn headwater_in(&self, environment: &[(&str, String)], arguments: &str, code: i32) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        self.run(command.args(self.words(arguments)).envs(environment.iter().cloned()), code)
    }

    /// Runs the program that is in the variable `variable`, which [`given`] has looked for.
    pub fn judge(&self, variable: &str, arguments: &str, code: i32) -> Said {
        let program = std::env::var_os(variable).expect("looked for before");
        self.run(Command::new(program).args(self.words(arguments)), code)
    }

    /// The words of arguments, where `$DIR` is this room.
    pub fn words(&self, arguments: &str) -> Vec<String> {
        let dir = self.0.path().to_string_lossy();
        arguments.split_whitespace().map(|word| word.replace("$DIR", &dir)).collect()
    }

    fn run(&self, command: &mut Command, code: i32) -> Said {
        let Output { status, stdout, stderr } = command.output().expect("the program can be started");
        let said = Said { stdout: text(stdout), stderr: text(stderr) };
        assert_eq!(status.code(), Some(code), "{command:?}\n{}\n{}", said.stdout, said.stderr);
        said
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("programs write UTF-8")
}

/// What a program said.
pub struct Said {
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{}", self.stdout))
    }

    /// A text in the JSON.
    pub fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.stdout)).to_owned()
    }
}

/// Whether the variable names a service; if not, says so, and where CI=true fails.
pub fn given(variable: &str) -> bool {
    if std::env::var_os(variable).is_some() {
        return true;
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{variable} is not set: run tests/live/bed run");
    eprintln!("SKIPPED: {variable} is not set: run tests/live/bed run");
    false
}

/// The lines of a file, sorted.
pub fn sorted_lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
