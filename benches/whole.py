#!/usr/bin/env python3
"""How fast the whole program is, against its peers, in one run: the table of benches/results/.

    cargo build --release && python3 benches/whole.py DIR [--rounds 5] [--entities 40000] [--lines 100000000]

Makes its input in DIR (about 3 GB), runs each command in turn with its peer, several rounds, and prints medians of wall
time as Markdown. Peers: lbzip2 and gzip (both decompress the same file to nowhere). Input is read once beforehand, so that
all commands find it in the page cache.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import time
from pathlib import Path

HEADWATER = Path(__file__).resolve().parent.parent / "target/release/headwater"


def run(command, rss):
    """Runs a shell command; returns wall seconds, CPU seconds and the peak of resident memory in MiB."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(["/usr/bin/time", "-f", "%M", "-o", str(rss), "bash", "-c", command],
                   check=True, stderr=subprocess.DEVNULL)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, int(rss.read_text().split()[-1]) / 1024


def medians(rounds, commands, rss):
    """Runs the commands in turn, `rounds` times; the median of each."""
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command, rss))
    return {name: tuple(statistics.median(column) for column in zip(*figures)) for name, figures in runs.items()}


def prepare(folder, entities, lines):
    folder.mkdir(parents=True, exist_ok=True)
    dump, members, big = folder / "dump.ttl", folder / "members.ttl.gz", folder / "big.ttl"
    csv, shuffled, five = folder / "map.csv", folder / "shuffled.csv", folder / "5m.csv"
    make = [
        (dump, f"{HEADWATER} generate-dump --entities {entities} --documents 32 --output {dump}"),
        (Path(f"{dump}.bz2"), f"lbzip2 -k {dump}"),
        (members, f"{HEADWATER} generate-dump --entities {2 * entities} --documents 64 --output {members}"),
        (big, f"{HEADWATER} generate-dump --entities {5 * entities} --documents 64 --output {big}"),
        (csv, f"{HEADWATER} generate-dump --entities {lines} --expected {csv}"),
        (shuffled, f"shuf --random-source=<(yes) {csv} > {shuffled}"),
        (five, f"head -n 5000000 {shuffled} > {five}"),
    ]
    for file, command in make:
        if not file.exists():
            subprocess.run(["bash", "-c", command], check=True)
        subprocess.run(["cat", str(file)], check=True, stdout=subprocess.DEVNULL)
    return f"{dump}.bz2", members, big, csv, shuffled, five


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("dir", type=Path)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--entities", type=int, default=40_000)
    arguments.add_argument("--lines", type=int, default=100_000_000)
    given = arguments.parse_args()
    bz2, members, big, csv, shuffled, five = prepare(given.dir, given.entities, given.lines)
    savepoint = f"--savepoint-dir {given.dir}/savepoint --overwrite"
    dump = lambda file: f"{HEADWATER} -q bootstrap --dump {file} {savepoint}"
    table = lambda file: f"{HEADWATER} -q bootstrap --revision-map {file} {savepoint}"
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, "
          f"medians of {given.rounds} rounds, commands in turn\n")
    print("| command | wall s | CPU s | peak MiB | to its peer |\n| --- | --- | --- | --- | --- |")
    pairs = [
        ({"lbzip2 -n2 -dc dump.ttl.bz2": f"lbzip2 -n2 -dc {bz2} >/dev/null", "bootstrap dump.ttl.bz2": dump(bz2)}),
        ({"gzip -dc members.ttl.gz": f"gzip -dc {members} >/dev/null", "bootstrap members.ttl.gz": dump(members)}),
        ({"cat big.ttl": f"cat {big} >/dev/null", "bootstrap big.ttl": dump(big)}),
        ({"bootstrap 5 M lines": table(five)}),
        ({"bootstrap 100 M lines, dump order": table(csv)}),
        ({"bootstrap 100 M lines, shuffled": table(shuffled)}),
    ]
    for commands in pairs:
        figures = medians(given.rounds, commands, given.dir / "rss")
        peer = next(iter(figures.values()))[0]
        for name, (wall, cpu, rss) in figures.items():
            ratio = f"{wall / peer:.2f}" if len(commands) > 1 else ""
            print(f"| {name} | {wall:.2f} | {cpu:.2f} | {rss:.0f} | {ratio} |", flush=True)
    size = big.stat().st_size / 1e9
    print(f"\nbig.ttl has {size:.2f} GB; members.ttl.gz {members.stat().st_size / 1e6:.0f} MB in 64 members; "
          f"dump.ttl.bz2 {Path(bz2).stat().st_size / 1e6:.0f} MB in one stream.")


if __name__ == "__main__":
    main()
