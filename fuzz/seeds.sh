#!/usr/bin/env bash
# Seed inputs for all targets, made from data-samples/ and the tests: fuzz/seeds.sh [directory, fuzz/corpus if not given]
set -euo pipefail
cd "$(dirname "$0")"
corpus=${1:-corpus}
samples=../data-samples
mkdir -p "$corpus"/{reader,scan,revision_map,metadata,decode,flink}

# seed <target> <name> <leading bytes, escaped>: the leading bytes and what comes in, as one input.
seed() { { printf "$3"; cat; } >"$corpus/$1/$2"; }

for file in "$samples"/*.ttl "$samples"/*.nt; do
    name=$(basename "$file")
    seed scan "$name" '\0\0\0' <"$file"
    seed scan "$name-cut" '\x47\x09\0' <"$file"
    head -c 3000 "$file" | seed reader "$name" '\x47\x09\0'
    head -c 3000 "$file" | sed '$d' | seed scan "$name-start" '\x47\x09\1'
done

# fragments <target> <tests>: what the tests put documents together from, one string literal on a line.
fragments() {
    fragments=$(sed -n '/^const FRAGMENTS/,/^];/{ s/^    "\(.*\)",$/\1/; T; s/\\"/"/g; s/\\u{\([0-9A-Fa-f]*\)}/\\u\1/g; p; }' "$2")
    local number=0 fragment
    while IFS= read -r fragment; do
        number=$((number + 1))
        printf '%b' "$fragment" | seed "$1" "fragment-$number" '\x13\x05\1'
    done <<<"$fragments"
}
fragments reader ../src/rdf/reader/tests.rs
fragments scan ../src/dump/scan/tests.rs
printf '%b' "${fragments//$'\n'/}" | seed scan fragments '\0\x21\0'

for options in 0 1; do
    seed revision_map "sample-$options" "\\$options" <"$samples/revision-map.csv"
    printf 'Q1,1\nQ1,-2\n"P2","3"\r\nL3,4611686018427387903\nM65807,9\n\nQ01,1\nQ4,0\nQ5;6\n-1,7' |
        seed revision_map "lines-$options" "\\$options"
done

zeros=$(printf '%064d' 0)
manifest() { # <items> <deleted items> <files>
    cat <<JSON
{
  "format": "headwater-savepoint",
  "format_version": 1,
  "created_at": "2026-01-05T12:00:00Z",
  "created_by": "headwater 0.1.0",
  "source": [ { "location": "items.ttl", "size": 12234 } ],
  "uris_scheme": { "concept": "http://www.wikidata.org/entity/", "entity_data": "https://www.wikidata.org/wiki/Special:EntityData/" },
  "counts": {
    "Q": { "created": $1, "deleted": $2 },
    "P": { "created": 0, "deleted": 0 },
    "L": { "created": 0, "deleted": 0 },
    "M": { "created": 0, "deleted": 0 }
  },
  "dump_starts": { "oldest": "2026-01-01T23:00:01Z", "newest": "2026-01-02T01:00:00.250+01:00", "headers": 8 },
  "offsets": [ { "topic": "eqiad.mediawiki.page_change.v1", "partition": 0, "offset": 7 } ],
  "watermark": null,
  "files": [$3],
  "checksum": "$zeros"
}
JSON
}
part() { echo "{ \"path\": \"state/Q-0000$1.parquet\", \"size\": 900, \"sha256\": \"$zeros\", \"rows\": $2 }"; }
manifest 0 0 '' | seed metadata empty '\1'
manifest 5 1 "$(part 0 6)" | seed metadata one-file '\1'
manifest 5 1 "$(part 0 2), $(part 1 4)" | seed metadata two-files '\1'
manifest 5 1 "$(part 0 6)" | seed metadata unsealed '\0'
manifest 0 0 '' | sed 's/00.250+01:00/00.123456789Z/' | seed metadata fine-time '\1'
manifest 0 0 '' | sed 's/2026-01-01T23:00:01Z/9999-12-31T23:59:59-01:00/' | seed metadata late-time '\1'

for file in "$samples"/*.gz "$samples"/*.bz2 "$samples"/*.zst; do
    seed decode "$(basename "$file")" '\4' <"$file"
done
for tool in gzip bzip2 zstd; do
    for text in 'a .' "$(head -c 700 "$samples/items.ttl")" "$(printf '%09999d' 0)"; do
        { "$tool" -c <<<"$text"; "$tool" -c <<<"again"; } | seed decode "$tool-${#text}" '\1'
    done
done

# utf <text>: as Java's writeUTF does; snapshot <class> <version>: of a serializer, in Flink's header.
utf() { printf "\\x$(printf '%02x' $((${#1} / 256)))\\x$(printf '%02x' $((${#1} % 256)))%s" "$1"; }
snapshot() { printf '\0\0\0\2'; utf "org.apache.flink.$1"; printf "\\0\\0\\0\\$2"; }
value_state() { # <name>
    utf "$1"
    printf '\0\0\0\0\0\0\0\1'
    utf KEYED_STATE_TYPE
    utf VALUE
    printf '\0\0\0\2'
    utf VALUE_SERIALIZER
    snapshot 'api.common.typeutils.base.LongSerializer$LongSerializerSnapshot' 3
    utf NAMESPACE_SERIALIZER
    snapshot 'runtime.state.VoidNamespaceSerializer$VoidNamespaceSerializerSnapshot' 3
}
state() { # <compressed>: the header of state files
    printf "\\0\\0\\0\\6\\$1"
    snapshot 'api.common.typeutils.base.StringSerializer$StringSerializerSnapshot' 3
    printf '\0\1'
    value_state lastSeenRev
}
entries='\0\0\0\0\0\7\2\10\4Q42\0\0\0\0\10\0\0\0\0\0\x12\xd6\x87\0\0\0\10\x82\10\5Q108\0\0\0\0\10\xff\xff\xff\xff\xff\xff\xff\x9d\xff\xff'
{ state 0; printf "$entries"; } | seed flink state '\0\2\10\1\x79'
{ state 1; printf "$entries"; } | seed flink state-not-compressed '\0\2\10\1\x79'
metadata() { # <parallelism> <handle>: up to the handle of the first subtask
    printf '\x49\x60\x67\x2d\0\0\0\4\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\1'
    printf '\x02\xfb\xb1\xf9\x12\x2a\x91\x0b\x1b\x49\xd4\x3c\xce\xed\x49\x15'
    printf "\\0\\0\\0\\$1\\0\\0\\4\\0\\0\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\$2"
}
# One key group, 520, whose bytes are inside.
{
    metadata 1 7
    printf '\0\0\2\10\0\0\0\1\0\0\0\0\0\0\1\x79\1\0\1x\0\0\1\xac'
    state 0
    printf "$entries"
    printf '\0\0\0\0\0\0\0\0\0\xac\xed\0\5\x70'
} | seed flink metadata '\1'
for handle in 3 13 5 16; do
    { metadata 1 "$handle"; printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'; } | seed flink "handle-$handle" '\1'
done
