# SPDX-License-Identifier: Apache-2.0
"""Real HDFS in one process, open to everyone or behind Kerberos with a KDC of its own; and Hadoop's own client tools."""

import os
import shutil

from .ground import BED, LIVE, build, need_java, program, quoted
from .service import Server

USER = "headwater"
# Hadoop tells Java's Kerberos by reflection that its settings changed.
KERBEROS = "java.security.jgss/sun.security.krb5=ALL-UNNAMED"
TOOLS = {
    "dfs": "org.apache.hadoop.fs.FsShell",
    "admin": "org.apache.hadoop.hdfs.tools.DFSAdmin",
    "fsck": "org.apache.hadoop.hdfs.tools.DFSck",
}


class Hdfs(Server):
    name = "hdfs"
    variables = ("HEADWATER_LIVE_HDFS", "HEADWATER_LIVE_HDFS_TOOLS", "HEADWATER_LIVE_HDFS_CONF")
    host = "127.0.0.1"
    mode = ("simple",)
    keytab = None

    def __init__(self):
        super().__init__()
        self.program = BED / "hdfs-program"
        self.tools = self.directory / "tools"
        self.conf = self.directory / "conf"

    def java(self, level):
        java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"]
        java += [f"--add-exports={KERBEROS}", f"--add-opens={KERBEROS}"]
        java += [f"-Dheadwater.log={level}", "-Djava.net.preferIPv4Stack=true", f"-Djava.io.tmpdir={self.directory}/tmp"]
        if self.keytab:
            java += [f"-Djava.security.krb5.conf={self.directory}/krb5.conf"]
        return [*java, "-cp", f"{self.conf}:{self.program}/hdfs-bed.jar:{self.program}/lib/*"]

    def prepare(self):
        need_java(17)
        build(LIVE / "hdfs", self.program, "bed.directory", 110)

    def environment(self):
        # Settings of a Hadoop that is installed are not ours.
        ours = ("HADOOP_", "HDFS_", "KRB5")
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def configure(self, ports):
        shutil.rmtree(self.conf, ignore_errors=True)
        (self.directory / "tmp").mkdir(exist_ok=True)
        for name in ("krb5.conf", "client.keytab", "server.keytab"):
            (self.directory / name).unlink(missing_ok=True)
        lines = [
            "unset HADOOP_CONF_DIR HADOOP_USER_NAME",
            "tool=$1",
            "[ $# = 0 ] || shift",
            'case "$tool" in',
            *(f"{name}) class={tool} ;;" for name, tool in TOOLS.items()),
            f'*) echo "{self.tools}: no tool \\"$tool\\"; there is {" ".join(TOOLS)}" >&2; exit 2 ;;',
            "esac",
        ]
        if self.keytab:
            lines.append(f"export KRB5PRINCIPAL={USER} KRB5KEYTAB={quoted([self.keytab])}")
        program(self.tools, "\n".join([*lines, f'exec {quoted(self.java("ERROR"))} "$class" "$@"\n']))

    def commands(self, ports):
        return [[*self.java("INFO"), "headwater.hdfs.Cluster", ports[0], self.directory, *self.mode]]

    def answers(self, ports):
        return (self.conf / "hdfs-site.xml").exists() and super().answers(ports)

    def variables_at(self, ports):
        values = (f"hdfs://{self.host}:{ports[0]}", str(self.tools), str(self.conf))
        return dict(zip(self.variables, values, strict=False))


class HdfsKerberos(Hdfs):
    """The names of its principals say localhost, and so must its URL. What travels is encrypted."""

    name = "hdfs-kerberos"
    variables = (
        "HEADWATER_LIVE_HDFS_KERBEROS",
        "HEADWATER_LIVE_HDFS_KERBEROS_TOOLS",
        "HEADWATER_LIVE_HDFS_KERBEROS_CONF",
        "HEADWATER_LIVE_HDFS_KERBEROS_KRB5",
        "HEADWATER_LIVE_HDFS_KERBEROS_KEYTAB",
        "HEADWATER_LIVE_HDFS_KERBEROS_PRINCIPAL",
    )
    host = "localhost"
    mode = ("kerberos", USER)

    def __init__(self):
        super().__init__()
        self.keytab = self.directory / "client.keytab"

    def variables_at(self, ports):
        values = (str(self.directory / "krb5.conf"), str(self.keytab), f"{USER}@EXAMPLE.COM")
        return super().variables_at(ports) | dict(zip(self.variables[3:], values, strict=True))
