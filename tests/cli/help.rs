//! Help, manual pages and completions: whole, and of every command.

use std::collections::BTreeSet;

use crate::harness::{TestEnv, golden};

/// All commands, as typed: "", "bootstrap", …, "savepoint inspect".
fn commands(env: &TestEnv, command: &str) -> Vec<String> {
    let help = env.run(&format!("{command} --help")).expect(0, &["Usage: "]).stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let below = names.flat_map(|name| commands(env, format!("{command} {name}").trim_start()));
    std::iter::once(command.to_owned()).chain(below).collect()
}

#[test]
fn the_whole_help_tree() {
    let env = TestEnv::new();
    let commands = commands(&env, "");
    assert!(commands.len() > 10, "{commands:?}");
    let help = |command: &String| {
        let outcome = env.run(&format!("{command} --help"));
        assert_eq!(outcome.stderr, "");
        format!("$ headwater {}\n{}\n", format!("{command} --help").trim_start(), outcome.stdout)
    };
    golden("help.txt", &commands.iter().map(help).collect::<String>());
}

#[test]
fn every_command_shows_an_example() {
    let env = TestEnv::new();
    let commands = commands(&env, "").into_iter().filter(|command| !command.is_empty());
    let lacks = |command: &String| !env.run(&format!("{command} --help")).stdout.contains("Example");
    let lacking: Vec<_> = commands.filter(lacks).collect();
    assert!(lacking.is_empty(), "no example in the help of {lacking:?}");
}

#[test]
fn every_command_has_a_manual_page() {
    let env = TestEnv::new();
    env.run("man --dir $DIR/man").expect(0, &[]);
    let name = |command: &String| format!("headwater {command}").trim_end().replace(' ', "-") + ".1";
    let expected: BTreeSet<_> = commands(&env, "").iter().map(name).collect();
    let entries = std::fs::read_dir(env.path("man")).expect("pages were written");
    let found: BTreeSet<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, expected);
    for page in found {
        assert!(env.read(&format!("man/{page}")).contains(".TH "), "{page}");
    }
    assert_eq!(env.run("man").expect(0, &[]).stdout, env.read("man/headwater.1"));
}

#[test]
fn every_shell_gets_a_script() {
    let env = TestEnv::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = env.run(&format!("completions {shell}")).expect(0, &["headwater", "bootstrap", "savepoint-dir"]);
        assert_eq!(script.stderr, "");
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let outcome = TestEnv::new().run("--version").expect(0, &[]);
    assert_eq!(outcome.stdout, format!("headwater {}\n", env!("CARGO_PKG_VERSION")));
}
