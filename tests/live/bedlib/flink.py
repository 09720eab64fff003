# SPDX-License-Identifier: Apache-2.0
"""Real Flink, as the judge of savepoints: a program that restores one, or writes one; see ../flink/…/Judge.java."""

from .ground import LIVE, build, need_java, program, quoted
from .service import Service


class Flink(Service):
    name = "flink"
    variables = ("HEADWATER_LIVE_FLINK",)

    def __init__(self):
        super().__init__()
        self.judge = self.directory / "judge"

    def prepare(self):
        need_java(17)
        build(LIVE / "flink", self.directory, "judge.directory", 150)
        temporary = self.directory / "tmp"
        temporary.mkdir(exist_ok=True)
        java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={temporary}"]
        java += ["-jar", self.directory / "flink-judge.jar"]
        program(self.judge, f'exec {quoted(java)} "$@"\n')

    def env(self):
        return {"HEADWATER_LIVE_FLINK": str(self.judge)} if self.judge.exists() else {}
