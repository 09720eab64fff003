#!/usr/bin/env bash
# Is what `headwater import` writes accepted by a real store, and does the store then hold what it should?
#
# check.sh HEADWATER_BINARY [ENTITIES]
#
# Imports the sample dumps, and made-up ones of 3000 entities (330,000 triples) or as many as said, as N-Triples, Turtle and a
# table, skolemized and not. Loads each into Oxigraph and compares: what the store counts with what the manifest and
# `headwater sql` count, and the triples of the three with each other. Needs cargo, gzip, zstd and jq. Ends with 1 at the
# first difference.
set -euo pipefail

headwater=$(realpath "${1:?the headwater program is expected}")
entities=${2:-3000}
here=$(dirname "$(realpath "$0")")
samples=$(realpath "$here/../../../data-samples")
cargo build --quiet --release --manifest-path "$here/Cargo.toml"
store=${CARGO_TARGET_DIR:-$here/target}/release/headwater-loader-check
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "DIFFERENT: $*" >&2
    exit 1
}

number() { # TABLE PLACE STATEMENT
    "$headwater" sql --quiet --json -c "$3" --table "$1=$2" | jq -r .n
}

# check NAME SCHEME OPTIONS... : the dumps are in the array `dumps`
check() {
    local name=$1 scheme=$2 dir=$work/$1
    shift 2
    local common=(import --quiet --uris-scheme "$scheme" "$@")
    for dump in "${dumps[@]}"; do common+=(--dump "$dump"); done
    "$headwater" "${common[@]}" --dedup exact --format nt --compression gzip --output "$dir/nt"
    "$headwater" "${common[@]}" --dedup exact --format ttl --compression zstd --output "$dir/ttl"
    "$headwater" "${common[@]}" --format parquet --encoding utf8 --output "$dir/table"
    # As they come: a store drops repeats by itself.
    "$headwater" "${common[@]}" --format ttl --chunk-size 100 --output "$dir/repeats"

    local table=("$dir"/table/date=*/wiki=*)
    local nt ttl rows repeats
    nt=$(gzip -dc "$dir"/nt/*.nt.gz | "$store" nt) || fail "$name: the store refuses N-Triples"
    ttl=$(zstd -qdc "$dir"/ttl/*.ttl.zst | "$store" ttl) || fail "$name: the store refuses Turtle"
    repeats=$(cat "$dir"/repeats/*.ttl | "$store" ttl) || fail "$name: the store refuses Turtle in many files"
    rows=$("$headwater" sql --quiet --json -c 'SELECT DISTINCT subject, predicate, object FROM triples' \
        --table "triples=${table[0]}" | "$store" rows) || fail "$name: the store refuses the table's cells"
    [[ $nt == "$ttl" ]] || fail "$name: nt $nt, ttl $ttl"
    [[ $nt == "$repeats" ]] || fail "$name: nt $nt, with repeats $repeats"
    [[ $nt == "$rows" ]] || fail "$name: nt $nt, table $rows"

    # A row of a table has a context too: what several entities say, such as the group of a wiki, is several rows.
    local triples=(triples "${table[0]}") in_table counted manifest
    counted=$(number "${triples[@]}" 'SELECT count(*) AS n FROM (SELECT DISTINCT subject, predicate, object FROM triples)')
    in_table=$(number "${triples[@]}" 'SELECT count(*) AS n FROM triples')
    counted+=,$(number "${triples[@]}" 'SELECT count(DISTINCT subject) AS n FROM triples')
    counted+=,$(number "${triples[@]}" "SELECT count(*) AS n FROM triples WHERE predicate = '<http://schema.org/version>'")
    counted+=,$(number "${triples[@]}" "SELECT count(DISTINCT node) AS n FROM
        (SELECT subject AS node FROM triples UNION ALL SELECT object FROM triples) WHERE starts_with(node, '_:')")
    [[ $(jq -c '[.triples, .subjects, .versions, .blank_nodes]' <<<"$nt") == "[$counted]" ]] ||
        fail "$name: the store counts $nt, sql [$counted]"
    manifest=$(jq -s -c '[.[0].triples, .[1].triples, .[2].triples, .[0].entities]' \
        "$dir/nt/_manifest.json" "$dir/ttl/_manifest.json" "${table[0]}/_manifest.json")
    [[ $manifest == "$(jq -c "[.triples, .triples, $in_table, .versions]" <<<"$nt")" ]] ||
        fail "$name: the manifests say $manifest, the store $nt, the table has $in_table rows"
    echo "$name: $nt"
}

both() { # NAME SCHEME
    check "$1" "$2"
    check "$1-blank-nodes" "$2" --no-skolemize
}

dumps=("$samples/wikidata.ttl.gz" "$samples/lexemes.ttl.bz2")
both wikidata wikidata
for file in items.ttl items.nt items-new-prefixes.ttl properties.ttl traps.ttl; do
    dumps=("$samples/$file")
    both "$file" wikidata
done
dumps=("$samples/commons.ttl")
both commons commons

"$headwater" generate-dump --quiet --contents mixed --entities "$entities" --output "$work/mixed.ttl.gz"
dumps=("$work/mixed.ttl.gz")
both made-up wikidata
"$headwater" generate-dump --quiet --contents mediainfo --entities "$((entities / 5))" --output "$work/mediainfo.ttl.bz2"
dumps=("$work/mediainfo.ttl.bz2")
both made-up-mediainfo commons
