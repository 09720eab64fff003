# SPDX-License-Identifier: Apache-2.0
"""What services use: where things are, programs that must be there, Maven builds, free ports, processes known for sure."""

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

LIVE = Path(__file__).resolve().parents[1]
ROOT = LIVE.parents[1]
BED = Path(os.environ.get("HEADWATER_BED") or ROOT / "target/bed").resolve()


class Unavailable(Exception):
    """The service cannot be had here; says why, and what would help."""


def need(program, package):
    if not shutil.which(program):
        raise Unavailable(f"there is no `{program}`; on Debian it is in the package {package}")


def need_java(version):
    package = f"openjdk-{version}-jdk-headless"
    need("java", package)
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    if not found or int(found[1]) < version:
        raise Unavailable(f"`java` is not Java {version} or newer; on Debian it is in the package {package}")


def build(sources, target, directory_property, megabytes):
    """Builds a Maven project into `target`, unless its sources are those of the last build."""
    files = [sources / "pom.xml", *sorted(path for path in (sources / "src").rglob("*") if path.is_file())]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(sources)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    stamp = target / "sources.sha256"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    need("javac", "openjdk-17-jdk-headless")
    need("mvn", "maven")
    say(f"{sources.name}: building (the first time Maven downloads about {megabytes} MB)")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    log = target / "maven.log"
    command = ["mvn", "-q", "-B", "-f", str(sources / "pom.xml"), f"-D{directory_property}={target}", "package"]
    try:
        call(command, log)
    except Unavailable:
        # Of hundreds of downloads one may break off; Maven keeps what it has. -U: asks again for what it did not get.
        call([*command, "-U"], log)
    stamp.write_text(digest.hexdigest())


def call(command, log, environment=None, cwd=None):
    """Runs a program to its end, with its output in `log`."""
    with open(log, "wb") as out:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, cwd=cwd, check=False
        )
    if done.returncode:
        raise Unavailable(f"`{Path(command[0]).name}` ended with {done.returncode}{tail(log)}")


def program(path, lines):
    """Writes a shell script that `path` runs."""
    path.write_text("#!/bin/sh\n" + lines)
    path.chmod(0o755)


def free_ports(count):
    """Different ports that nobody listens on now. Another process may take one before we do: who fails with one tries again."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def listens(port):
    """True or OSError."""
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        return True


def started(pid):
    """When this process was started, in whatever form the system tells; None if there is none (a zombie is none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    said = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return said.stdout.strip() or None


def reap(pid):
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def tail(log):
    """The end of a log, as part of a message."""
    lines = log.read_text(errors="replace").splitlines()[-30:]
    return "".join(f"\n  {line}" for line in lines) + f"\n  (all of it is in {log})"


def say(line):
    print(f"bed: {line}", file=sys.stderr, flush=True)


def quoted(words):
    return shlex.join(str(word) for word in words)
