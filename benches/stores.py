#!/usr/bin/env python3
"""What it costs to read a dump from a store and not from disk, into the same command: the table of benches/results/.

    cargo build --release && tests/live/bed up hdfs swift && eval "$(tests/live/bed env)"
    python3 benches/stores.py DIR [--rounds 7] [--entities 960000]

Makes a dump of about 1 GB in DIR, copies it to HDFS in blocks of 128 MiB and of the bed's 1 MiB, and to Swift, where S3 finds
it too; then reads it with `dump-start` from disk and from each store in turn, several rounds. Prints medians: of wall time and
the CPU time of headwater and of the servers, which run on the same cores, and of each round's quotients to the disk in the same
round, as what else the machine does changes from round to round.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADWATER = ROOT / "target/release/headwater"
BED = Path(os.environ.get("HEADWATER_BED", ROOT / "target/bed"))
TICK = os.sysconf("SC_CLK_TCK")


def servers():
    """CPU seconds of the bed's processes so far."""
    ticks = 0
    for record in BED.glob("*/*.json"):
        try:
            stat = Path(f"/proc/{json.loads(record.read_text())['pid']}/stat").read_text()
        except (OSError, KeyError, TypeError, ValueError):
            continue
        # Behind the name in parentheses; the 14th and 15th field of all are the ticks of the process.
        ticks += sum(int(field) for field in stat.rpartition(")")[2].split()[11:13])
    return ticks / TICK


def run(place):
    """Reads the dump at a place; returns wall seconds, CPU seconds of headwater and of the servers."""
    before, served, start = resource.getrusage(resource.RUSAGE_CHILDREN), servers(), time.monotonic()
    subprocess.run([HEADWATER, "dump-start", "--dump", place], check=True, capture_output=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, servers() - served


def to_hdfs(dump, place, block):
    tools = os.environ["HEADWATER_LIVE_HDFS_TOOLS"]
    path = place.removeprefix(os.environ["HEADWATER_LIVE_HDFS"])
    subprocess.run([tools, "dfs", f"-Ddfs.blocksize={block}", "-put", "-f", dump, path], check=True)


def to_swift(dump, name):
    who = {"X-Auth-User": os.environ["ST_USER"], "X-Auth-Key": os.environ["ST_KEY"]}
    with urllib.request.urlopen(urllib.request.Request(os.environ["ST_AUTH"], headers=who)) as answer:
        token, storage = answer.headers["X-Auth-Token"], answer.headers["X-Storage-Url"]
    container = os.environ["HEADWATER_LIVE_SWIFT"].removeprefix("swift://").split(".")[0]
    with open(dump, "rb") as body:
        headers = {"X-Auth-Token": token, "Content-Length": str(dump.stat().st_size)}
        request = urllib.request.Request(f"{storage}/{container}/{name}", body, headers, method="PUT")
        urllib.request.urlopen(request).close()


def prepare(folder, entities):
    folder.mkdir(parents=True, exist_ok=True)
    dump = folder / "dump.ttl.gz"
    if not dump.exists():
        make = [HEADWATER, "generate-dump", "--entities", str(entities), "--documents", "64", "--output", dump]
        subprocess.run(make, check=True)
    subprocess.run(["cat", dump], check=True, stdout=subprocess.DEVNULL)
    places = {"disk": str(dump)}
    if hdfs := os.environ.get("HEADWATER_LIVE_HDFS"):
        for name, block in (("HDFS", 128 << 20), ("HDFS, blocks of 1 MiB", 1 << 20)):
            places[name] = f"{hdfs}/bench-{block >> 20}.ttl.gz"
            to_hdfs(dump, places[name], block)
    if swift := os.environ.get("HEADWATER_LIVE_SWIFT"):
        to_swift(dump, "bench.ttl.gz")
        places["Swift"] = f"{swift}/bench.ttl.gz"
        places["S3"] = f"{os.environ['HEADWATER_LIVE_S3']}/bench.ttl.gz"
    return dump.stat().st_size, places


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--entities", type=int, default=960_000)
    args = parser.parse_args()
    size, places = prepare(args.dir, args.entities)
    runs = {name: [] for name in places}
    for _ in range(args.rounds):
        for name, place in places.items():
            runs[name].append(run(place))
    print(f"{size / 1e9:.2f} GB, {args.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    print("| from | wall | CPU | CPU of servers | wall beside disk | CPU beside disk |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, figures in runs.items():
        wall, cpu, served = (statistics.median(column) for column in zip(*figures))
        beside = [[a / b for a, b in zip(one[:2], disk)] for one, disk in zip(figures, runs["disk"])]
        walls, cpus = (statistics.median(column) for column in zip(*beside))
        print(f"| {name} | {wall:.2f} s | {cpu:.2f} s | {served:.2f} s | {walls:.2f} | {cpus:.2f} |")


if __name__ == "__main__":
    main()
