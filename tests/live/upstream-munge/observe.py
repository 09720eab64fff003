#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run upstream's munger over every case in upstream.txt and compare, or write down, what it gives.

    UPSTREAM_CLASSPATH=... ./observe.py           compare with what upstream.txt says (exit code 1 on a difference)
    UPSTREAM_CLASSPATH=... ./observe.py --write   write what it gives into upstream.txt

A case in upstream.txt: a line `=== name | options`, Turtle (after prefixes.ttl), a line `---`, then what upstream gives: its
output in its order, `skipped ...` for an entity that it skips, `dropped ...` for a parked triple that it drops,
`fatal ...` for an error that ends its run. Labels that Sesame makes up for `[]` are written `_:nodeN`.
"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "..", "..", "munge")
MADE_UP = re.compile(r"node1[0-9a-z]{8,12}x(\d+)")


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def observe(turtle, options):
    with tempfile.TemporaryDirectory() as folder:
        source, result = os.path.join(folder, "in.ttl"), os.path.join(folder, "out.nt")
        with open(source, "w", encoding="utf-8", newline="") as file:
            file.write(read(os.path.join(CASES, "prefixes.ttl")) + turtle)
        command = [os.path.join(HERE, "run.sh"), "munge", source, result, "--show-dropped", *options.split()]
        errors = subprocess.run(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", check=False).stderr
        lines = read(result)
    for line in errors.splitlines():
        if line.startswith("Exception in thread"):
            lines += "fatal " + line.split('"main" ')[1] + "\n"
        elif line.startswith("skipped: "):
            lines += "skipped " + line[9:] + "\n"
        elif line.startswith("dropped: "):
            lines += "dropped " + line[9:] + "\n"
    return MADE_UP.sub(r"node\1", lines)


def main():
    path = os.path.join(CASES, "upstream.txt")
    cases = re.findall(r"^=== (\S+) \|([^\n]*)\n(.*?)^---\n(.*?)(?=^=== |\Z)", read(path), re.M | re.S)
    written, wrong = [], 0
    for name, options, turtle, expected in cases:
        found = observe(turtle, options)
        written.append(f"=== {name} |{options}\n{turtle}---\n{found}")
        if found != expected:
            wrong += 1
            print(f"{name}: was\n{expected}is\n{found}", file=sys.stderr)
    if "--write" in sys.argv[1:]:
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.writelines(written)
        return 0
    print(f"{len(cases) - wrong} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
