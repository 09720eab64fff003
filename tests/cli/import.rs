//! `headwater import` as a user meets it: what it writes, what it agrees with, and how it ends when it is hurt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::TestEnv;
use crate::interruption::{Random, start};

/// The files of an import, and their bytes. A run that is killed at the very end may leave `_unfinished` beside them.
pub fn files(env: &TestEnv, dir: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(env.path(dir)).expect("the output is there").map(|entry| entry.expect("an entry"));
    let named = entries.map(|entry| (entry.file_name().into_string().expect("names are UTF-8"), entry.path()));
    let data = named.filter(|(name, _)| !name.starts_with('_'));
    data.map(|(name, path)| (name, fs::read(path).expect("a file"))).collect()
}

/// The lines of all files.
pub fn lines(env: &TestEnv, dir: &str) -> Vec<String> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("N-Triples are UTF-8");
    files(env, dir)
        .into_values()
        .map(text)
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn the_samples_give_what_upstream_gives() {
    // Triples read, kept, and different ones: as `tests/live/upstream-munge/OBSERVED.md` has them.
    let rows = [
        ("items-new-prefixes.ttl", "", 55, 38, 38),
        ("items.ttl", "", 165, 133, 123),
        ("lexemes.ttl", "", 71, 50, 50),
        ("properties.ttl", "", 86, 76, 76),
        ("wikidata.ttl.gz", "", 251, 209, 194),
        ("wikidata.ttl.bz2", "", 251, 209, 194),
        ("commons.ttl", "--uris-scheme commons", 62, 52, 47),
        ("header-without-date.ttl", "", 22, 16, 16),
    ];
    let env = TestEnv::new();
    for (sample, options, read, kept, different) in rows {
        let command =
            format!("import --dump $SAMPLES/{sample} {options} --format nt --output $DIR/out --overwrite --json");
        let report = env.run(&command).expect(0, &[]).json();
        let triples = &report["triples"];
        assert_eq!((triples["read"].as_u64(), triples["kept"].as_u64()), (Some(read), Some(kept)), "{sample}");
        assert_eq!(lines(&env, "out").into_iter().collect::<BTreeSet<_>>().len(), different, "{sample}");
    }
}

#[test]
fn beside_it_is_what_bootstrap_makes() {
    let env = TestEnv::new();
    let dumps = "--dump $SAMPLES/items.ttl.zst --dump $SAMPLES/lexemes.ttl.bz2 --dump $SAMPLES/properties.ttl";
    env.run(&format!("bootstrap {dumps} --savepoint-dir $DIR/sp --revision-map $DIR/a.csv")).expect(0, &[]);
    let import =
        "--format nt --output $DIR/out --savepoint-dir $DIR/sp2 --revision-map $DIR/b.csv --report $DIR/r.json";
    env.run(&format!("import {dumps} {import}"))
        .expect(0, &["blank nodes IRIs", "next        headwater savepoint verify"]);
    env.run("savepoint export $DIR/sp2 --output $DIR/c.csv").expect(0, &[]);
    assert_eq!(env.read("a.csv"), env.read("b.csv"));
    assert_eq!(env.read("a.csv"), env.read("c.csv"));
    assert!(env.read("r.json").contains("\"triples\""));
}

#[test]
fn exact_leaves_no_line_twice_and_loses_none() {
    let env = TestEnv::new();
    env.run("generate-dump --entities 2000 --documents 8 --output $DIR/d.ttl.gz").expect(0, &[]);
    for dedup in ["none", "exact"] {
        env.run(&format!("import --dump $DIR/d.ttl.gz --format nt --output $DIR/{dedup} --dedup {dedup}"))
            .expect(0, &[]);
    }
    let (none, exact) = (lines(&env, "none"), lines(&env, "exact"));
    let different: BTreeSet<_> = exact.iter().collect();
    assert_eq!(different.len(), exact.len(), "a line is there twice");
    assert_eq!(different, none.iter().collect());
    assert!(none.len() > exact.len());
}

#[test]
fn files_are_cut_as_asked_and_the_same_on_any_number_of_threads() {
    let env = TestEnv::new();
    env.run("generate-dump --contents lexemes --entities 1000 --output $DIR/d.ttl").expect(0, &[]);
    let rows = [("--chunk-size 100", 10), ("--chunk-size 1000", 1), ("--chunk-size 999", 2), ("--num-partitions 5", 5)];
    let mut whole = None;
    for (options, expected) in rows {
        let import = |threads: u32| {
            let command = format!("import --dump $DIR/d.ttl --format nt --output $DIR/out {options} --overwrite");
            env.run(&format!("{command} --threads {threads}")).expect(0, &[]);
            files(&env, "out")
        };
        let (one, three) = (import(1), import(3));
        assert_eq!(one.len(), expected, "{options}: {:?}", one.keys());
        assert!(one == three, "{options}: other threads, other files");
        let together = one.into_values().flatten().collect::<Vec<_>>();
        assert!(*whole.get_or_insert_with(|| together.clone()) == together, "{options}: other triples");
    }
}

#[test]
fn a_bad_entity_is_skipped_listed_and_in_no_output() {
    let env = TestEnv::new();
    let command = "import --dump $SAMPLES/bad-entity.ttl --format nt --output $DIR/out --savepoint-dir $DIR/sp";
    env.run(&format!("{command} --on-bad-entity stop")).expect(1, &["byte", "line", "--on-bad-entity skip"]);
    env.run(&format!("{command} --max-bad-entities 0")).expect(1, &["1 entities could not be munged"]);
    let ended = env.run(command).expect(0, &["skipped     $SAMPLES/bad-entity.ttl: byte"]);
    let bad =
        ended.stderr.lines().find_map(|line| line.strip_prefix("skipped     ")?.split(": ").nth(2)).expect("an id");
    env.run("savepoint export $DIR/sp --output $DIR/map.csv").expect(0, &[]);
    assert!(!env.read("map.csv").contains(&format!("{bad},")), "{bad} is in the state");
    assert!(!lines(&env, "out").iter().any(|line| line.contains(&format!("/{bad}>"))), "{bad} is in the triples");
}

#[test]
fn nothing_of_others_is_touched_and_nothing_of_ours_is_lost() {
    let env = TestEnv::new();
    let command = "import --dump $SAMPLES/items.ttl --format nt --output $DIR/out";
    env.run(command).expect(0, &[]);
    env.run(command).expect(2, &["a finished import is there"]);
    env.run(&format!("{command} --resume")).expect(2, &["a finished import is there"]);
    env.run(&format!("{command} --overwrite")).expect(0, &[]);
    env.write("out/mine.txt", "mine");
    env.run(&format!("{command} --overwrite")).expect(2, &["never deletes files that are not its own"]);
    assert_eq!(env.read("out/mine.txt"), "mine");
    let truncated = "import --dump $SAMPLES/truncated.ttl.gz --format nt --output $DIR/cut";
    env.run(truncated).expect(1, &["truncated"]);
    assert!(!env.exists("cut/_manifest.json") && !env.exists("cut/triples-00001.nt"));
}

#[test]
fn a_killed_run_is_resumed_as_if_it_had_never_been_killed() {
    let env = TestEnv::new();
    env.run("generate-dump --contents lexemes --entities 3000 --output $DIR/a.ttl").expect(0, &[]);
    env.run("generate-dump --contents lexemes --entities 3000 --seed 2 --output $DIR/b.ttl.gz").expect(0, &[]);
    for options in
        ["--format nt --dedup exact --chunk-size 400", "--format parquet --num-partitions 12 --date 20260101"]
    {
        let dumps = format!("import --dump $DIR/a.ttl --dump $DIR/b.ttl.gz --threads 2 {options}");
        let begun = Instant::now();
        env.run(&format!("{dumps} --output $DIR/whole")).expect(0, &[]);
        let whole = begun.elapsed();
        let below = if options.contains("parquet") { "/date=20260101/wiki=wikidata" } else { "" };
        let mut random = Random::new();
        println!("seed {} (set KILL_SEED to repeat), a whole run takes {whole:?}", random.0);
        for _ in 0..4 {
            for kill in 0..3 {
                let moment = whole.mul_f64(0.2 + 0.7 * random.fraction());
                let resume = if kill == 0 { "" } else { "--resume" };
                killed(&env, &format!("{dumps} --output $DIR/out {resume}"), moment);
            }
            let finished = env.exists(&format!("out{below}/_manifest.json"));
            if !finished {
                env.run(&format!("{dumps} --output $DIR/out --resume")).expect(0, &[]);
            }
            let (whole, resumed) = (files(&env, &format!("whole{below}")), files(&env, &format!("out{below}")));
            assert_eq!(whole.keys().collect::<Vec<_>>(), resumed.keys().collect::<Vec<_>>());
            assert!(whole == resumed, "other files than those of a run that was not killed");
            fs::remove_dir_all(env.path("out")).expect("it is ours");
        }
        fs::remove_dir_all(env.path("whole")).expect("it is ours");
    }
}

#[test]
fn a_resumed_run_leaves_nothing_of_the_killed_one_and_may_replace_what_that_published() {
    let env = TestEnv::new();
    let beside = "--savepoint-dir $DIR/sp --revision-map $DIR/map.csv";
    let import = "import --dump $SAMPLES/items.ttl --dump $SAMPLES/lexemes.ttl --format nt --chunk-size 2";
    env.run(&format!("{import} --output $DIR/whole {beside}")).expect(0, &[]);
    // As a run leaves it that is killed after it published the savepoint: the files, the note, no manifest.
    fs::create_dir_all(env.path("out/_unfinished")).expect("a directory");
    env.write("out/_unfinished/triples-00003.nt#1", "of a writer that was killed");
    env.write("out/_unfinished/journal.json#1", "of a writer that was killed");
    let resume = format!("{import} --output $DIR/out {beside} --resume");
    env.run(&resume).expect(2, &["already"]);
    let note = format!("{}\n{}\n", env.path("sp").display(), env.path("map.csv").display());
    env.write("out/_unfinished/publishing", &note);
    env.run(&resume.replace("map.csv", "other.csv")).expect(2, &["already"]);
    env.run(&resume).expect(0, &[]);
    assert_eq!(files(&env, "out"), files(&env, "whole"));
    assert!(!env.exists("out/_unfinished"), "what the killed run left is gone");
    env.run("savepoint verify $DIR/sp").expect(0, &[]);
}

#[test]
fn what_a_resumed_run_finds_changed_it_does_not_take() {
    let env = TestEnv::new();
    env.run("generate-dump --contents lexemes --entities 3000 --output $DIR/a.ttl").expect(0, &[]);
    let import = "import --dump $DIR/a.ttl --format nt --chunk-size 100 --output $DIR/out --threads 1";
    let first = env.path("out/_unfinished/triples-00001.nt");
    let mut run = start(&env, import);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !env.exists("out/_unfinished/journal.json") && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
    run.kill().expect("it is ours");
    let _ = run.wait();
    if !env.exists("out/_unfinished/journal.json") {
        return println!("the run had ended before it could be killed");
    }
    let whole = fs::read(&first).expect("the first file is complete");
    fs::write(&first, &whole[1..]).expect("it is ours");
    let changed = ["triples-00001.nt is not as the interrupted run left it", "hint: pass --overwrite"];
    env.run(&format!("{import} --resume")).expect(1, &changed);
    fs::remove_file(&first).expect("it is ours");
    env.run(&format!("{import} --resume")).expect(1, &changed);
    fs::write(&first, whole).expect("it is ours");
    env.run(&format!("{import} --resume")).expect(0, &[]);
}

fn killed(env: &TestEnv, command: &str, moment: Duration) {
    let mut run = start(env, command);
    sleep(moment);
    run.kill().expect("it is ours");
    let _ = run.wait();
}

/// A dump of entities that are broken as told, between sound ones.
fn broken_dump(odd: &str) -> String {
    let prefixes = "@prefix wd: <http://www.wikidata.org/entity/> .\n@prefix data: <https://www.wikidata.org/wiki/Special:EntityData/> .\n\
                    @prefix schema: <http://schema.org/> .\n@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .\n\
                    @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n\n";
    let entity = |id: &str, version: &str, label: &str| {
        format!(
            "data:{id} schema:about wd:{id} ;\n\tschema:version {version} ;\n\tschema:dateModified \"2026-01-05T00:00:00Z\"^^xsd:dateTime .\n\n\
             wd:{id} rdfs:label {label}\n\n"
        )
    };
    let sound = |id: &str| entity(id, "\"7\"^^xsd:integer", "\"sound\"@en .");
    let broken = match odd {
        "no dot" => entity("Q2", "\"7\"^^xsd:integer", "\"no dot\"@en"),
        "a string without end" => entity("Q2", "\"7\"^^xsd:integer", "\"no end@en ."),
        "no data" => entity("Q2", "\"7\"^^xsd:integer", "\0\0\0"),
        "two versions" => entity("Q2", "\"7\"^^xsd:integer , \"9\"^^xsd:integer", "\"two\"@en ."),
        "no version" => entity("Q2", "\"98765432l\"^^xsd:integer", "\"l for 1\"@en ."),
        "a version that is text" => entity("Q2", "\" 7 \"^^xsd:integer", "\"spaces\"@en ."),
        other => panic!("{other}"),
    };
    [prefixes, &sound("Q1"), &broken, &sound("Q3"), &sound("Q4")].concat()
}

/// Of a broken entity the next one is not a part: whom the map has, and what is said.
#[test]
fn an_entity_that_is_broken_costs_no_other() {
    let env = TestEnv::new();
    let all = "Q1,7\nQ3,7\nQ4,7\n";
    let rows = [
        ("no dot", all, "Q2"),
        ("a string without end", all, "Q2"),
        ("no data", all, "Q2"),
        ("two versions", "Q1,7\nQ2,9\nQ3,7\nQ4,7\n", "entities    4"),
        ("no version", all, "its schema:version is \"98765432l\""),
        ("a version that is text", all, "its schema:version is \" 7 \""),
    ];
    for (odd, map, said) in rows {
        env.write("odd.ttl", &broken_dump(odd));
        let import = "import --dump $DIR/odd.ttl --format nt --output $DIR/nt --revision-map $DIR/map.csv --overwrite";
        env.run(import).expect(0, &[said]);
        assert_eq!(env.read("map.csv"), map, "{odd}");
        let sound = lines(&env, "nt").iter().filter(|line| line.contains("\"sound\"")).count();
        assert_eq!(sound, 3, "{odd}");
    }
}

#[test]
fn a_run_without_any_entity_or_any_room_is_none() {
    let env = TestEnv::new();
    let only = broken_dump("no version");
    let (head, rest) = only.split_once("data:Q1").expect("Q1 is first");
    let (_, second) = rest.split_once("data:Q2").expect("then Q2");
    let (second, _) = second.split_once("data:Q3").expect("then Q3");
    env.write(
        "one.ttl",
        &format!("{head}data:Q2{}", second.replace("98765432l", "98765432")).replace("dateModified", "dated"),
    );
    let import = "import --dump $DIR/one.ttl --format nt --output $DIR/none --savepoint-dir $DIR/sp";
    env.run(import).expect(1, &["none of the entities could be munged", "one.ttl", "Q2", "schema:dateModified"]);
    assert!(!env.path("sp").exists() && !env.path("none/_manifest.json").exists());
    env.write("file", "");
    let import = "import --dump $SAMPLES/items.ttl --format nt --output $DIR/out --temp-dir $DIR/file";
    env.run(import).expect(2, &["file is no directory", "--temp-dir"]);
    assert!(!env.path("out").exists());
}
