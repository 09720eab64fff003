//! A sealed room for the program: its own directory, no environment but ours, placeholders for what changes.
//!
//! Promise: the same run gives the same text on every machine, at any time.
//! In -> out: a command line with `$DIR`, `$SAMPLES`, `$SHARED` in it -> [`Outcome`], where the first two stand again.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use headwater::wikibase::timestamp::Timestamp;
use tempfile::TempDir;

/// A directory, and the environment that programs see in it.
#[must_use]
pub struct TestEnv {
    dir: TempDir,
    variables: Vec<(&'static str, String)>,
    /// An hour before the test, as text: what is later is the time of the run.
    recently: String,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    pub command: String,
    /// 128 and the signal's number, where a signal ended it, as shells say it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl TestEnv {
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as i64;
        let recently = Timestamp::from_millis(now - 3_600_000).expect("a time of our days").to_string();
        Self { dir: tempfile::tempdir().expect("a temporary directory"), variables: Vec::new(), recently }
    }

    /// The same room, with a variable set.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, self.real(value)));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("$DIR/{name}: {error}"))
    }

    /// Writes a file; `$DIR` and `$SAMPLES` in it are replaced.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), self.real(text)).expect("the room can be written");
    }

    /// The program with these arguments, which are separated by white space.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        command.args(arguments.split_whitespace().map(|argument| self.real(argument)));
        command.env_clear().env("HOME", self.dir.path()).env("LC_ALL", "C").current_dir(self.dir.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[must_use = "say how the run must end, with `expect`"]
    pub fn run(&self, arguments: &str) -> Outcome {
        let output = self.command(arguments).output().expect("the program can be started");
        Outcome {
            command: arguments.to_owned(),
            code: code(output.status),
            stdout: self.told(&output.stdout),
            stderr: self.told(&output.stderr),
        }
    }

    /// The runs one after the other, as a terminal would show them.
    pub fn transcript(&self, commands: &[&str]) -> String {
        let shown = |command: &&str| {
            let Outcome { command, code, stdout, stderr } = self.run(command);
            format!("$ headwater {command}\n{stderr}{stdout}[exit {code}]\n\n")
        };
        commands.iter().map(shown).collect()
    }

    fn real(&self, text: &str) -> String {
        let text = text.replace("$DIR", &self.dir.path().to_string_lossy());
        let text = text.replace("$SAMPLES", &samples().to_string_lossy());
        text.replace("$SHARED", &shared().to_string_lossy())
    }

    fn told(&self, bytes: &[u8]) -> String {
        let text = std::str::from_utf8(bytes).expect("the program writes UTF-8");
        let text = text.replace(&*self.dir.path().to_string_lossy(), "$DIR");
        let text = text.replace(&*samples().to_string_lossy(), "$SAMPLES");
        text.split_inclusive('\n').map(|line| steady(line, &self.recently)).collect()
    }
}

impl Outcome {
    /// Asserts the exit code, and that each of `said` stands on stdout or stderr.
    pub fn expect(self, code: i32, said: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self}");
        for said in said {
            assert!(self.stdout.contains(said) || self.stderr.contains(said), "not said: {said:?}\n{self}");
        }
        assert_ne!(self.code, 70, "{self}");
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{self}"))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "$ headwater {command}\n[stderr]\n{stderr}\n[stdout]\n{stdout}\n[exit {code}]")
    }
}

/// A server that gives everyone the same answer, at a URL.
pub fn saying(status: u16, body: impl Into<String>) -> String {
    let body = body.into();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("it has an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let answer =
                format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

/// The exit code as shells give it.
pub fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples")
}

/// Where fixtures that do not belong to the project may be.
pub fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")
}

/// The names of all sample files; what is in directories is for their own tests.
pub fn sample_names() -> Vec<String> {
    let entries = fs::read_dir(samples()).expect("the samples are there");
    let entries = entries.map(|entry| entry.expect("the room can be listed"));
    let mut names: Vec<_> = entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().into_string().expect("names are UTF-8"))
        .collect();
    names.retain(|name| name != "README.md");
    names.sort();
    names
}

/// Compares with the golden file of that name below `tests/cli`, or writes it where UPDATE_GOLDEN is set.
pub fn golden(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        return fs::write(&file, text).expect("golden files can be written");
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    let same = expected.lines().zip(text.lines()).take_while(|(a, b)| a == b).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
    assert!(
        expected == text,
        "tests/cli/{name}:{}\nexpected: {}\nfound:    {}\nUPDATE_GOLDEN=1 rewrites it",
        same + 1,
        line(&expected),
        line(text)
    );
}

/// The line without what changes from run to run: `4.8 kB` -> `$SIZE`, `1.0 MB/s` -> `$RATE`, `0.1 s` -> `$N s`.
fn steady(line: &str, recently: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let unit = words.get(at + 1).copied().filter(|_| is_number(words[at])).and_then(measure);
        out.push(unit.clone().unwrap_or_else(|| without_time(words[at], recently)));
        at += if unit.is_some() { 2 } else { 1 };
    }
    out.join(" ")
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
}

/// What stands for a number with this unit, and the punctuation after it.
fn measure(unit: &str) -> Option<String> {
    let end = unit.find(|c: char| !(c.is_alphabetic() || c == '/')).unwrap_or(unit.len());
    let (unit, after) = unit.split_at(end);
    let stands = match unit {
        "B" | "kB" | "MB" | "GB" => "$SIZE",
        "B/s" | "kB/s" | "MB/s" | "GB/s" | "triples/s" => "$RATE",
        "s" => "$N s",
        _ => return None,
    };
    Some(format!("{stands}{after}"))
}

/// `2026-11-21T22:05:07.259Z` -> `$TIME`, if it is not long ago.
fn without_time(word: &str, recently: &str) -> String {
    let is_time =
        word.len() >= 20 && word.is_ascii() && word.as_bytes()[10] == b'T' && word[..4].parse::<u16>().is_ok();
    if is_time && word >= recently { "$TIME".to_owned() } else { word.to_owned() }
}

#[test]
fn what_changes_is_replaced_and_nothing_else() {
    let table = [
        ("4.8 kB -> 17.0 kB, 7 revisions\n", "$SIZE -> $SIZE, 7 revisions\n"),
        ("6.1 kB in 0.0 s: 678.0 kB/s as stored", "$SIZE in $N s: $RATE as stored"),
        ("made        2026-11-21T22:05:07.259Z by", "made        $TIME by"),
        ("start time  2024-11-04T23:00:02Z (oldest", "start time  2024-11-04T23:00:02Z (oldest"),
        ("byte 2585 of the text (line 61)", "byte 2585 of the text (line 61)"),
        ("322 read at 10,387 triples/s, 259 kept", "322 read at $RATE, 259 kept"),
        ("4 files, 999 B\n", "4 files, $SIZE\n"),
    ];
    for (line, expected) in table {
        assert_eq!(steady(line, "2026-11-21T21:05:07Z"), expected);
    }
}

#[test]
fn the_room_is_sealed() {
    let env = TestEnv::new().with("HEADWATER_THREADS", "0");
    env.run("man").expect(2, &["--threads"]);
    TestEnv::new().run("man").expect(0, &[]);
}
