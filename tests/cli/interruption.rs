//! Runs that end before their time: what is left is the whole savepoint or none, and the next run works.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::harness::{TestEnv, code};

#[test]
fn ctrl_c_leaves_no_savepoint() {
    let env = TestEnv::new();
    env.run("generate-dump --entities 40000 --output $DIR/big.ttl").expect(0, &[]);
    let command = "bootstrap --threads 1 --dump $DIR/big.ttl --savepoint-dir $DIR/sp";
    for (signal, millis) in [("-INT", 50), ("-TERM", 150), ("-INT", 400)] {
        let ended = signalled(&env, command, signal, millis);
        assert_eq!(env.exists("sp/_metadata"), ended == 0, "{signal} after {millis} ms: exit {ended}");
        let _ = std::fs::remove_file(env.path("sp/_metadata"));
    }
    env.run(command).expect(0, &["entities    40,000"]);
    env.run("savepoint verify $DIR/sp").expect(0, &[]);
}

#[test]
fn ctrl_c_ends_a_made_up_dump() {
    let env = TestEnv::new();
    // Half a minute of work.
    let mut run = start(&env, "generate-dump --entities 60000 --documents 600 --output $DIR/big.ttl.bz2");
    sleep(Duration::from_millis(300));
    let _ = Command::new("kill").args(["-INT", &run.id().to_string()]).status();
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline && run.try_wait().expect("it was started").is_none() {
        sleep(Duration::from_millis(50));
    }
    let listened = run.try_wait().expect("it was started");
    run.kill().expect("it is ours");
    let _ = run.wait();
    assert_eq!(listened.map(code), Some(130), "it goes on after Ctrl-C");
    assert!(!env.exists("big.ttl.bz2"));
}

/// Sends the signal to a run that began so long ago; its exit code is 0 if it had ended, or else 130.
fn signalled(env: &TestEnv, command: &str, signal: &str, millis: u64) -> i32 {
    let run = start(env, command);
    sleep(Duration::from_millis(millis));
    // The run may have ended by itself, and then there is nobody to interrupt.
    let _ = Command::new("kill").args([signal, &run.id().to_string()]).stderr(Stdio::null()).status();
    let output = run.wait_with_output().expect("it was started");
    println!("{signal} after {millis} ms: exit {}", code(output.status));
    match output.status.code() {
        Some(0) => 0,
        Some(130) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.starts_with("error: interrupted") && said.ends_with('\n'), "{said}");
            130
        }
        // Before it could listen; then the signal itself ends it.
        None => 130,
        Some(other) => panic!("exit {other}"),
    }
}

#[test]
fn killed_while_reading_dumps() {
    let env = TestEnv::new();
    for (seed, name) in ["a.ttl", "b.ttl.gz", "c.ttl.zst"].into_iter().enumerate() {
        let generate = format!("generate-dump --contents lexemes --entities 6000 --seed {seed}");
        env.run(&format!("{generate} --output $DIR/{name}")).expect(0, &[]);
    }
    survives_kills(&env, "--dump $DIR/a.ttl --dump $DIR/b.ttl.gz --dump $DIR/c.ttl.zst");
}

#[test]
fn killed_while_writing_a_large_state() {
    let env = TestEnv::new();
    for part in 0..4u64 {
        let line = |n: u64| format!("Q{},{}\n", 1 + part * 250_000 + n, 7 + n * 1_001);
        env.write(&format!("part-{part}.csv"), &(0..250_000).map(line).collect::<String>());
    }
    survives_kills(&env, "--revision-map $DIR/part-*.csv");
}

/// Kills runs at random moments, half of them near the end, where the savepoint is written.
fn survives_kills(env: &TestEnv, input: &str) {
    let begun = Instant::now();
    env.run(&format!("bootstrap {input} --savepoint-dir $DIR/whole")).expect(0, &[]);
    let whole = begun.elapsed();
    env.run("savepoint export $DIR/whole --output $DIR/whole.csv").expect(0, &[]);
    let mut random = Random::new();
    println!("seed {} (set KILL_SEED to repeat), a whole run takes {whole:?}", random.0);
    for round in 0..8 {
        let part = if round % 2 == 0 { random.fraction() } else { 0.7 + 0.4 * random.fraction() };
        one_kill(env, input, whole.mul_f64(part));
        let _ = std::fs::remove_dir_all(env.path("sp"));
    }
}

fn one_kill(env: &TestEnv, input: &str, moment: Duration) {
    let command = format!("bootstrap {input} --savepoint-dir $DIR/sp");
    let mut run = start(env, &command);
    sleep(moment);
    run.kill().expect("it is ours");
    let ended = code(run.wait().expect("it was started"));
    let complete = env.exists("sp/_metadata");
    println!("SIGKILL after {moment:?}: exit {ended}, {}", if complete { "complete" } else { "no savepoint" });
    assert!(complete || ended == 137, "exit {ended} without a savepoint");
    if complete {
        env.run(&command).expect(2, &["already holds a savepoint"]);
    } else {
        env.run("savepoint verify $DIR/sp").expect(1, &["is no savepoint"]);
        env.run(&command).expect(0, &[]);
    }
    env.run("savepoint verify $DIR/sp").expect(0, &["every byte is as it was written"]);
    env.run("savepoint export $DIR/sp --output $DIR/map.csv --overwrite").expect(0, &[]);
    assert!(env.read("map.csv") == env.read("whole.csv"), "killed after {moment:?}: another map");
}

pub fn start(env: &TestEnv, command: &str) -> Child {
    // Quiet, since nobody reads the pipes while it runs.
    env.command(&format!("{command} --quiet")).spawn().expect("the program can be started")
}

/// Numbers that are as random as this needs.
pub struct Random(pub u64);

impl Random {
    pub fn new() -> Self {
        let given = std::env::var("KILL_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").subsec_nanos();
        Self(given.unwrap_or(u64::from(now) | 1))
    }

    /// From 0 to 1, by splitmix64.
    pub fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) as f64 / u64::MAX as f64
    }
}
