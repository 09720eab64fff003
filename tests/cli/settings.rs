//! A flag beats the environment, the environment beats the settings file, the file beats the default.

use crate::harness::TestEnv;

const FILE: &str = r#"
quiet = true

[bootstrap]
dump = ["$SAMPLES/items.ttl", "$SAMPLES/lexemes.ttl"]
savepoint-dir = "$DIR/from-file"

[savepoint.export]
output = "$DIR/exported.csv"
"#;

fn with_file(text: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write("settings.toml", text);
    env
}

#[test]
fn a_setting_in_the_file_is_used() {
    let env = with_file(FILE);
    let outcome = env.run("--config $DIR/settings.toml bootstrap").expect(0, &[]);
    assert_eq!(outcome.stderr, "", "quiet is set in the file");
    env.run("savepoint inspect $DIR/from-file").expect(0, &["items       5", "lexemes     3"]);
    env.run("savepoint export $DIR/from-file --config $DIR/settings.toml").expect(0, &[]);
    assert!(env.exists("exported.csv"));
}

#[test]
fn the_environment_beats_the_file() {
    let env = with_file(FILE).with("HEADWATER_SAVEPOINT_DIR", "$DIR/from-environment");
    env.run("bootstrap --config $DIR/settings.toml").expect(0, &[]);
    assert!(env.exists("from-environment/_metadata") && !env.exists("from-file"));
}

#[test]
fn a_flag_beats_both() {
    let env = with_file(FILE).with("HEADWATER_SAVEPOINT_DIR", "$DIR/from-environment");
    env.run("bootstrap --config $DIR/settings.toml --savepoint-dir $DIR/from-flag").expect(0, &[]);
    assert!(env.exists("from-flag/_metadata") && !env.exists("from-environment") && !env.exists("from-file"));
}

#[test]
fn a_flag_replaces_a_list_of_the_file() {
    let env = with_file(FILE);
    env.run("bootstrap --config $DIR/settings.toml --dump $SAMPLES/items.ttl").expect(0, &[]);
    env.run("savepoint inspect $DIR/from-file --json").expect(0, &["items.ttl"]);
    let kinds = env.run("savepoint inspect $DIR/from-file");
    assert!(!kinds.stdout.contains("lexemes"), "{kinds}");
}

#[test]
fn the_environment_names_the_file() {
    let env = with_file(FILE).with("HEADWATER_CONFIG", "$DIR/settings.toml");
    env.run("bootstrap").expect(0, &[]);
    assert!(env.exists("from-file/_metadata"));
}

#[test]
fn wrong_settings_are_usage_errors() {
    let table = [
        ("[bootstrap]\nnonsense = 1", "`nonsense` is no setting of `bootstrap`"),
        ("nonsense = true", "`nonsense` is no setting of `headwater`"),
        ("[nonsense]\nx = 1", "[nonsense] is no command of `headwater`"),
        ("[bootstrap]\non-bad-entity = \"maybe\"", "maybe"),
        ("[bootstrap]\nsavepoint-dir = 1979-05-27", "`savepoint-dir`"),
        ("threads = 0", "--threads"),
        ("= what", "is no settings file"),
    ];
    for (text, said) in table {
        let env = with_file(text);
        let output = "--dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp";
        let config = if text.contains("savepoint-dir") { "--dump $SAMPLES/items.ttl" } else { output };
        env.run(&format!("bootstrap --config $DIR/settings.toml {config}")).expect(2, &[said]);
    }
    TestEnv::new()
        .run("man --config $DIR/absent.toml")
        .expect(2, &["could not read the settings file $DIR/absent.toml"]);
}

#[test]
fn settings_of_other_commands_are_checked_too() {
    let env = with_file("[revision-map]\nnonsense = 1");
    let command = "bootstrap --config $DIR/settings.toml --dump $SAMPLES/items.ttl --savepoint-dir $DIR/sp";
    env.run(command).expect(2, &["`nonsense` is no setting of `revision-map`"]);
}
