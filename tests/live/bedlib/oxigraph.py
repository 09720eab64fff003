# SPDX-License-Identifier: Apache-2.0
"""Real Oxigraph, from crates.io: a triple store that the tests start themselves."""

import os

from .ground import LIVE, call, need, say
from .service import Service


class Oxigraph(Service):
    name = "oxigraph"
    variables = ("HEADWATER_LIVE_OXIGRAPH",)

    def __init__(self):
        super().__init__()
        self.program = self.directory / "release" / "headwater-oxigraph"

    def prepare(self):
        need("cargo", "cargo")
        if not self.program.exists():
            say("oxigraph: building (the first time, some two minutes)")
        self.directory.mkdir(parents=True, exist_ok=True)
        manifest = ["--manifest-path", LIVE / "oxigraph" / "Cargo.toml", "--target-dir", self.directory]
        call(["cargo", "build", "--quiet", "--release", "--locked", *manifest], self.directory / "build.log", os.environ)

    def env(self):
        return {"HEADWATER_LIVE_OXIGRAPH": str(self.program)} if self.program.exists() else {}
