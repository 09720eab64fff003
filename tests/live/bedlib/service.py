# SPDX-License-Identifier: Apache-2.0
"""What a service is: something prepared, and perhaps processes with ports that are started, waited for and stopped."""

import json
import os
import shutil
import signal
import subprocess
import time

from .ground import BED, Unavailable, free_ports, listens, reap, started, tail


class Ended(Unavailable):
    """A process ended while it was waited for: perhaps because another took its port."""


class Service:
    """A program that is only prepared. `variables` names what `env` may give, in the tests' environment."""

    name = ""
    variables = ()

    def __init__(self):
        self.directory = BED / self.name

    def prepare(self):
        """Gets and builds what is needed; does nothing the second time. Raises Unavailable."""

    def start(self):
        """Starts it and waits until it answers; true if it was not running already."""
        return False

    def stop(self):
        """Stops it; true if it was running."""
        return False

    def env(self):
        """Variables for the tests, or nothing if it is not prepared or not running."""
        return {}


class Process:
    """One process, known by what is recorded of it: its id and the time of its start, so that no other is taken for it."""

    def __init__(self, directory, name):
        self.name = name
        self.record = directory / f"{name}.json"
        self.log = directory / f"{name}.log"

    def running(self):
        """What is recorded of it, if it lives."""
        try:
            record = json.loads(self.record.read_text())
        except FileNotFoundError:
            return None
        return record if started(record["pid"]) == record["started"] else None

    def spawn(self, command, environment, directory, facts):
        with open(self.log, "wb") as out:
            # A session of its own: Ctrl-C reaches the bed, which then stops it in order.
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=directory,
                env=environment,
                start_new_session=True,
            )
        self.record.write_text(json.dumps({"pid": process.pid, "started": started(process.pid)} | facts))

    def signal(self, number):
        record = self.running()
        if record:
            os.kill(record["pid"], number)

    def gone(self, end):
        """Whether it is gone before the moment `end`."""
        while record := self.running():
            reap(record["pid"])
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True


class Server(Service):
    """Processes with ports. To add one: `commands`, `variables_at`; as needed `ports`, `configure`, `answers`, `environment`.

    Every start begins with an empty `self.data`.
    """

    ports = 1
    processes = ("server",)
    patience = 180

    def __init__(self):
        super().__init__()
        self.data = self.directory / "data"
        self.parts = [Process(self.directory, name) for name in self.processes]

    def configure(self, ports):
        """Writes what the processes read; they do not run yet."""

    def commands(self, ports):
        """The command of every process in `processes`, in that order."""
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def answers(self, ports):
        """True once the tests may begin; false or OSError before."""
        return all(listens(port) for port in ports)

    def variables_at(self, ports):
        raise NotImplementedError

    def start(self):
        if all(part.running() for part in self.parts):
            return False
        for attempt in range(3):
            # What is left of a start that did not come to its end.
            self.stop()
            shutil.rmtree(self.data, ignore_errors=True)
            self.data.mkdir(parents=True)
            try:
                self.start_at(free_ports(self.ports))
                return True
            except BaseException as reason:
                self.stop()
                if not isinstance(reason, Ended) or attempt == 2:
                    raise
        return True

    def start_at(self, ports):
        self.configure(ports)
        end = time.monotonic() + self.patience
        for part, command in zip(self.parts, self.commands(ports), strict=True):
            part.spawn(command, self.environment(), self.directory, {"ports": ports})
        while not self.ready(ports):
            for part in self.parts:
                if not part.running():
                    raise Ended(f"{part.name} ended before it answered{tail(part.log)}")
            if time.monotonic() > end:
                logs = "".join(tail(part.log) for part in self.parts)
                raise Unavailable(f"no answer in {self.patience} s{logs}")
            time.sleep(0.1)

    def ready(self, ports):
        try:
            return self.answers(ports)
        except OSError:
            return False

    def stop(self):
        running = there = [part for part in self.parts if part.running()]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for part in reversed(there):
                part.signal(number)
            end = time.monotonic() + 15
            there = [part for part in there if not part.gone(end)]
        for part in self.parts:
            part.record.unlink(missing_ok=True)
        return bool(running)

    def env(self):
        records = [part.running() for part in self.parts]
        return self.variables_at(records[0]["ports"]) if all(records) else {}
