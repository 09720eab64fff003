//! A store kept up to date, as far as it goes without one.

use crate::harness::{TestEnv, golden};

const BOOTSTRAP: &str =
    "bootstrap --quiet --dump $SAMPLES/wikidata.ttl.gz --dump $SAMPLES/lexemes.ttl.bz2 --savepoint-dir $DIR/sp";
const STREAM: &str = "stream --quiet --listen none --events $SAMPLES/stream/events.ndjson \
     --entity-data-dir $SAMPLES/stream/entity-data --initial-state $DIR/sp --mutations $DIR/mutations.ndjson";
const CONSUME: &str = "consume --listen none --messages $DIR/mutations.ndjson";

#[test]
fn the_samples_as_sparql() {
    let env = TestEnv::new();
    env.run(BOOTSTRAP).expect(0, &[]);
    env.run(STREAM).expect(0, &[]);
    let text = env.transcript(&[&format!("{CONSUME} --dry-run --quiet --earliest")]);
    golden("golden/consume.txt", &unmarked(&text));
}

/// Without the fingerprint of a message, as each has a random id.
fn unmarked(text: &str) -> String {
    let mark = |line: &str| Some(line.split_once("<urn:headwater:last> \"")?.1.split(' ').nth(2)?.to_owned());
    text.lines().find_map(mark).map_or_else(|| text.to_owned(), |mark| text.replace(&mark, "$MARK\""))
}

#[test]
fn what_a_user_may_get_wrong() {
    let env = TestEnv::new();
    env.run(BOOTSTRAP).expect(0, &[]);
    env.run(STREAM).expect(0, &[]);
    env.run("import --quiet --dump $SAMPLES/lexemes.ttl.bz2 --format nt --output $DIR/nt").expect(0, &[]);
    env.run("import --quiet --dump $SAMPLES/lexemes.ttl.bz2 --format nt --no-skolemize --output $DIR/blank")
        .expect(0, &[]);
    env.write("odd.ndjson", "{}\n");
    env.write("cut.ndjson", &env.read("mutations.ndjson").replace("\"sequence_length\":1", "\"sequence_length\":2"));
    env.write("token", "a b\n");
    let stream = "consume --listen none --event-stream http://127.0.0.1:1/x --dry-run";
    let nowhere = "--sparql http://127.0.0.1:1/query --give-up 0s";
    let rows: &[(&str, i32, &str)] = &[
        ("consume", 2, "--topic"),
        (CONSUME, 2, "--sparql"),
        (&format!("{CONSUME} --dry-run"), 2, "nothing tells where to begin"),
        (&format!("{CONSUME} --dry-run --earliest --committed"), 2, "cannot be used with"),
        (&format!("{CONSUME} --dry-run --since 2026-01-05T23:00:02"), 2, "--since"),
        (&format!("{CONSUME} --dry-run --earliest --json"), 2, "prints SPARQL, not JSON"),
        (&format!("{CONSUME} --dry-run --anew"), 2, "--anew"),
        (&format!("{CONSUME} {nowhere} --earliest"), 3, "no answer from http://127.0.0.1:1/query"),
        (&format!("{CONSUME} --sparql nowhere --earliest"), 2, "nowhere"),
        (&format!("{CONSUME} {nowhere} --earliest --sparql-token-file $DIR/token"), 2, "the token of the store"),
        (&format!("{CONSUME} --dry-run --manifest $DIR/nt"), 2, "are begun with --earliest"),
        (&format!("{stream} --manifest $DIR/none"), 2, "none"),
        (&format!("{stream} --manifest $DIR/sp"), 2, "_manifest.json"),
        (&format!("{stream} --manifest $DIR/blank"), 1, "blank nodes"),
        (&format!("{CONSUME} --dry-run --earliest --domain commons.wikimedia.org"), 2, "it is about www.wikidata.org"),
        (&format!("{CONSUME},$DIR/mutations.ndjson --dry-run --earliest"), 2, "is given twice"),
        ("consume --listen none --messages $DIR/x.ndjson.gz --dry-run --earliest", 2, "x.ndjson.gz is compressed"),
        (&format!("{stream} --manifest $DIR/nt --uris-scheme commons"), 1, "is of the wiki with entities in"),
        (
            "consume --listen none --messages $DIR/odd.ndjson --dry-run --earliest",
            1,
            "odd.ndjson/0 0: this is no message",
        ),
        ("consume --listen none --messages $DIR/cut.ndjson --dry-run --earliest", 1, "message 2 of 2 was to follow"),
        ("consume --listen none --messages $DIR/none.ndjson --dry-run --earliest", 2, "none.ndjson"),
        ("consume --listen none --topic x --dry-run --earliest", 2, "--brokers"),
        ("consume --listen none --event-stream http://127.0.0.1:1/x --dry-run --earliest", 2, "cannot be used with"),
        ("consume --listen none --event-stream http://127.0.0.1:1/x --messages y --dry-run", 2, "cannot be used with"),
    ];
    for (command, code, said) in rows {
        env.run(command).expect(*code, &[said]);
    }
}
