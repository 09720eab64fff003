#!/usr/bin/env python3
"""Runs every statement in sql/ on Spark and on headwater, over the same tables, and compares rows and order.

Needs Java 17 and `pip install pyspark`. The default tables are those that `cargo test --release --features sql --test sql` leaves in
target/tmp/sql; with --triples, any triples table. Ends with 1 if a statement gives something else on Spark.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]


def on_headwater(program, statement, tables, values):
    command = [program, "sql", str(statement), "--json", "--quiet"]
    command += [f"--table={name}={place}" for name, place in tables.items()]
    command += [f"--set={name}={value}" for name, value in values.items()]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [list(json.loads(line).items()) for line in lines]


def on_spark(spark, statement, values):
    return [list(row.asDict().items()) for row in spark.sql(statement.read_text(), args=values).collect()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made = ROOT / "target/tmp/sql"
    parser.add_argument("--headwater", default=str(ROOT / "target/release/headwater"))
    parser.add_argument("--triples", default=str(made / "triples"), help="a directory of Parquet files")
    parser.add_argument("--old", default=str(made / "old.csv"), help="a revision map with a header")
    parser.add_argument("--new", default=str(made / "new.csv"), help="a revision map with a header")
    parser.add_argument("--state", default=str(made / "state"), help="a savepoint of headwater's format")
    parser.add_argument("--entity", default="Q12")
    args = parser.parse_args()

    tables = {"triples": args.triples, "old": args.old, "new": args.new, "state": args.state}
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    spark.read.parquet(args.triples).createOrReplaceTempView("triples")
    spark.read.parquet(args.state + "/state").createOrReplaceTempView("state")
    for name in ("old", "new"):
        table = spark.read.csv(tables[name], header=True, schema="entity STRING, revision BIGINT")
        table.createOrReplaceTempView(name)

    differing = 0
    for statement in sorted((ROOT / "sql").glob("*.sql")):
        values = {"entity": args.entity} if ":entity" in statement.read_text() else {}
        ours = on_headwater(args.headwater, statement, tables, values)
        theirs = on_spark(spark, statement, values)
        same = ours == theirs
        differing += not same
        print(f"{statement.name}: {len(ours)} rows on headwater, {len(theirs)} on Spark: {'same' if same else 'DIFFERENT'}")
        if not same:
            first = next((pair for pair in zip(ours, theirs) if pair[0] != pair[1]), (ours[-1:], theirs[-1:]))
            print(f"  headwater: {first[0]}\n  Spark:     {first[1]}")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
