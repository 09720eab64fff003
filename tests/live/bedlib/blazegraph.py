# SPDX-License-Identifier: Apache-2.0
"""Real Blazegraph, from Maven Central: a triple store that the tests start themselves, with its data in a file."""

from .ground import LIVE, build, need_java, program, quoted
from .service import Service

# What Blazegraph, made for Java 8, looks into.
OPENED = ("java.base/java.lang", "java.base/java.nio", "java.base/sun.nio.ch")


class Blazegraph(Service):
    name = "blazegraph"
    variables = ("HEADWATER_LIVE_BLAZEGRAPH",)

    def __init__(self):
        super().__init__()
        self.built = self.directory / "program"
        self.program = self.directory / "blazegraph"

    def prepare(self):
        need_java(17)
        self.directory.mkdir(parents=True, exist_ok=True)
        build(LIVE / "blazegraph", self.built, "bed.directory", 60)
        java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms64m", "-Xmx512m"]
        java += [part for package in OPENED for part in ("--add-opens", f"{package}=ALL-UNNAMED")]
        java += ["-cp", f"{self.built}/blazegraph-bed.jar:{self.built}/lib/*", "headwater.Blazegraph"]
        places = quoted([self.built / "war", self.built / "classes/store.properties"])
        # Called with a port and the file of the data.
        program(self.program, f'exec {quoted(java)} "$1" {places} "$2"\n')

    def env(self):
        return {"HEADWATER_LIVE_BLAZEGRAPH": str(self.program)} if self.program.exists() else {}
