# SPDX-License-Identifier: Apache-2.0
"""Real Oxigraph, from crates.io: a triple store that the tests start themselves, as they also kill it."""

import os

from .ground import Unavailable, call, need, say
from .service import Service

VERSION = "0.5.13"

# RocksDB is most of it. It is to be right, not fast, and built soon.
PROFILE = {"CARGO_PROFILE_RELEASE_OPT_LEVEL": "1", "CARGO_PROFILE_RELEASE_LTO": "off"}


class Oxigraph(Service):
    name = "oxigraph"
    variables = ("HEADWATER_LIVE_OXIGRAPH",)

    def __init__(self):
        super().__init__()
        self.program = self.directory / VERSION / "bin" / "oxigraph"

    def prepare(self):
        if self.program.exists():
            return
        need("cargo", "cargo")
        say("oxigraph: building (once, some 10 minutes on 2 cores)")
        self.directory.mkdir(parents=True, exist_ok=True)
        command = ["cargo", "install", "oxigraph-cli", "--version", VERSION, "--locked", "--no-default-features"]
        environment = os.environ | PROFILE | {"CARGO_TARGET_DIR": str(self.directory / "build")}
        try:
            call([*command, "--root", str(self.directory / VERSION)], self.directory / "build.log", environment)
        except Unavailable as reason:
            raise Unavailable(f"{reason}\n  RocksDB needs a C++ compiler and libclang (Debian: build-essential libclang-dev)") from reason

    def env(self):
        return {"HEADWATER_LIVE_OXIGRAPH": str(self.program)} if self.program.exists() else {}
