# SPDX-License-Identifier: Apache-2.0
"""Real OpenStack Swift, one node of each kind, with TempAuth and the S3 door: Debian's packages, unpacked into the bed."""

import contextlib
import http.client
import os
import platform
import pwd
import shutil
import tempfile
from pathlib import Path

from . import swift_settings
from .ground import Unavailable, call, need, say
from .service import Server

ACCOUNT, USER, KEY, REGION = "headwater", "tester", "headwater-key", "us-east-1"
PACKAGES = ["swift-proxy", "swift-account", "swift-container", "swift-object", "memcached"]
# The packages are made for the system's own Python, not for one that comes before it in PATH.
PYTHON = "/usr/bin/python3"

# The servers read /etc/swift/swift.conf whatever their own settings say, and nothing but this variable moves that.
LAUNCH = """\
import runpy, sys
from swift.common import utils
utils.SWIFT_CONF_FILE, sys.argv = sys.argv[1], sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

# Sixteen partitions, one copy, one folder as the disk.
RINGS = """\
import sys
from swift.common.ring import RingBuilder
for kind, port in zip(("account", "container", "object"), sys.argv[2:]):
    ring = RingBuilder(4, 1, 1)
    ring.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk", "weight": 1})
    ring.rebalance()
    ring.get_ring().save(f"{sys.argv[1]}/{kind}.ring.gz")
"""


class Swift(Server):
    name = "swift"
    ports = 5
    processes = ("memcached", "account", "container", "object", "updater", "proxy")
    # The first two are ours; the others are those that every client of such a store looks for.
    variables = (
        "HEADWATER_LIVE_SWIFT",
        "HEADWATER_LIVE_S3",
        "ST_AUTH",
        "ST_USER",
        "ST_KEY",
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
    )

    def __init__(self):
        super().__init__()
        self.root = self.directory / "root"
        self.etc = self.directory / "etc"

    def prepare(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.need_attributes()
        stamp = self.directory / "packages"
        wanted = " ".join(PACKAGES)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        if not Path(PYTHON).exists():
            raise Unavailable(f"there is no {PYTHON}, for which Debian's Swift is made")
        need("apt-get", "apt, so this is no Debian")
        say("swift: downloading Debian's packages (about 20 MB)")
        stamp.unlink(missing_ok=True)
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        with tempfile.TemporaryDirectory(dir=self.directory) as place:
            self.unpack(Path(place))
        stamp.write_text(wanted)

    def need_attributes(self):
        """Swift keeps what it knows of an object in extended attributes of its file."""
        with tempfile.NamedTemporaryFile(dir=self.directory) as file:
            try:
                os.setxattr(file.name, "user.swift.metadata", b"x" * 3000)
            except (OSError, AttributeError) as reason:
                raise Unavailable(
                    f"files in {self.directory} cannot have extended attributes of 3 kB ({reason}): "
                    "set HEADWATER_BED to a directory on ext4 or xfs"
                ) from None

    def unpack(self, place):
        """What the packages need and the system lacks, without installing it: apt's own lists and cache are in `place`."""
        lists, archives = place / "lists", place / "archives"
        for directory in (lists / "partial", archives / "partial"):
            directory.mkdir(parents=True)
        options = {
            "Dir::State::lists": lists,
            "Dir::State::extended_states": place / "extended_states",
            "Dir::Cache": place,
            "Dir::Cache::archives": archives,
            "Debug::NoLocking": "1",
            "APT::Sandbox::User": pwd.getpwuid(os.getuid()).pw_name,
            "APT::Install-Recommends": "false",
            "Acquire::Retries": "3",
        }
        apt = ["apt-get", "-q", "-y", *(f"-o{name}={value}" for name, value in options.items())]
        log = self.directory / "apt.log"
        call([*apt, "update"], log)
        call([*apt, "--download-only", "install", *PACKAGES], log)
        for package in sorted(archives.glob("*.deb")):
            call(["dpkg-deb", "-x", str(package), str(self.root)], log)

    def environment(self):
        here = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        here["PATH"] = f"{self.root}/usr/bin:{self.root}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        here["PYTHONPATH"] = f"{self.root}/usr/lib/python3/dist-packages"
        here["PYTHONPYCACHEPREFIX"] = str(self.directory / "pycache")
        here["LD_LIBRARY_PATH"] = f"{self.root}/usr/lib/{platform.machine()}-linux-gnu"
        return here

    def configure(self, ports):
        _memcached, account, container, object_, _proxy = ports
        shutil.rmtree(self.etc, ignore_errors=True)
        for directory in (self.etc, self.data / "disk", self.data / "recon"):
            directory.mkdir()
        users = {
            f"user_{ACCOUNT}_{USER}": f"{KEY} .admin",
            f"user_{ACCOUNT}_reader": "reader-key reader",
            "user_other_other": "other-key other .admin",
        }
        for name, text in swift_settings.files(ports, self.etc, self.data, users, REGION):
            (self.etc / name).write_text(text)
        rings = [PYTHON, "-c", RINGS, self.etc, account, container, object_]
        call([str(word) for word in rings], self.directory / "rings.log", self.environment())

    def commands(self, ports):
        user = pwd.getpwuid(os.getuid()).pw_name
        memcached = [self.find("memcached"), "-l", "127.0.0.1", "-p", ports[0], "-U", "0", "-m", "64", "-u", user]
        servers = [(f"swift-{kind}-server", f"{kind}-server.conf") for kind in ("account", "container", "object", "proxy")]
        servers.insert(3, ("swift-object-updater", "object-server.conf"))
        launch = [PYTHON, "-c", LAUNCH, self.etc / "swift.conf"]
        return [memcached, *([*launch, self.find(name), self.etc / conf, "-v"] for name, conf in servers)]

    def find(self, name):
        """Unpacked, or the system's if it was installed there already."""
        found = shutil.which(name, path=self.environment()["PATH"])
        if not found:
            raise Unavailable(f"there is no `{name}` among Debian's packages {' '.join(PACKAGES)}")
        return found

    def answers(self, ports):
        """An object is written, read, listed and deleted; its container stays, for the tests."""
        if not super().answers(ports):
            return False
        with contextlib.suppress(http.client.HTTPException, Refused):
            who = {"X-Auth-User": f"{ACCOUNT}:{USER}", "X-Auth-Key": KEY}
            told, _ = ask(ports, "GET", "/auth/v1.0", who)
            token = {"X-Auth-Token": told["X-Auth-Token"]}
            container = f"/v1/AUTH_{ACCOUNT}/bed"
            ask(ports, "PUT", container, token)
            ask(ports, "PUT", f"{container}/proof", token, b"proof")
            _, read = ask(ports, "GET", f"{container}/proof", token)
            _, listed = ask(ports, "GET", container, token)
            ask(ports, "DELETE", f"{container}/proof", token)
            return (read, listed) == (b"proof", b"proof\n")
        return False

    def variables_at(self, ports):
        endpoint = f"http://127.0.0.1:{ports[4]}"
        name = f"{ACCOUNT}:{USER}"
        values = ("swift://bed.local", "s3://bed", f"{endpoint}/auth/v1.0", name, KEY, endpoint, name, KEY, REGION)
        return dict(zip(self.variables, values, strict=True))


class Refused(Exception):
    """An answer that is not 2xx."""


def ask(ports, method, path, headers, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", ports[4], timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        if answer.status // 100 != 2:
            raise Refused(f"{method} {path}: {answer.status}")
        return answer.headers, answer.read()
