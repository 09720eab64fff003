# SPDX-License-Identifier: Apache-2.0
"""Real Kafka: one node that is broker and controller, in the clear and behind TLS with SCRAM; and Kafka's own tools."""

import socket
import struct

from .ground import LIVE, build, call, need_java, program, quoted
from .service import Server

USER, PASSWORD = "headwater", "headwater-password"

# The command line tools, by the names of their scripts; those of the second list ask no broker.
TOOLS = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "configs": "kafka.admin.ConfigCommand",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
    "acls": "org.apache.kafka.tools.AclCommand",
}
OFFLINE_TOOLS = {
    "dump-log": "kafka.tools.DumpLogSegments",
    "storage": "kafka.tools.StorageTool",
    "server": "kafka.Kafka",
}

# For tests: expired and compacted segments vanish within a second, groups form at once, one node is all there is.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{tls}
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PKCS12
ssl.keystore.location={keystore}
ssl.keystore.password={password}
log.dirs={logs}
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
log.segment.delete.delay.ms=100
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=8388608
offsets.retention.check.interval.ms=1000
num.network.threads=2
num.io.threads=4
controlled.shutdown.max.retries=0
"""


class Kafka(Server):
    name = "kafka"
    ports = 3
    variables = (
        "HEADWATER_LIVE_KAFKA",
        "HEADWATER_LIVE_KAFKA_TOOLS",
        "HEADWATER_LIVE_KAFKA_TLS",
        "HEADWATER_LIVE_KAFKA_TLS_CA",
        "HEADWATER_LIVE_KAFKA_TLS_USER",
        "HEADWATER_LIVE_KAFKA_TLS_PASSWORD",
    )

    def __init__(self):
        super().__init__()
        self.program = self.directory / "program"
        self.tools = self.directory / "tools"
        self.settings = self.directory / "server.properties"
        self.keystore = self.directory / "server.p12"
        self.certificate = self.directory / "server.pem"

    def java(self, level):
        java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms64m", "-Xmx512m"]
        java += [f"-Dorg.slf4j.simpleLogger.defaultLogLevel={level}", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
        java += ["-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]
        return [*java, "-cp", f"{self.program}/lib/*"]

    def prepare(self):
        need_java(17)
        build(LIVE / "kafka", self.program, "bed.directory", 60)
        if self.certificate.exists():
            return
        self.keystore.unlink(missing_ok=True)
        keytool = ["keytool", "-keystore", self.keystore, "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", "server"]
        log = self.directory / "keytool.log"
        names = ["-dname", "CN=localhost", "-ext", "SAN=IP:127.0.0.1,DNS:localhost"]
        call([*keytool, "-genkeypair", "-keyalg", "EC", "-validity", "36500", *names], log)
        call([*keytool, "-exportcert", "-rfc", "-file", self.certificate], log)

    def configure(self, ports):
        plain, tls, controller = ports
        places = {"keystore": self.keystore, "password": PASSWORD, "logs": self.data / "logs"}
        self.settings.write_text(SETTINGS.format(plain=plain, tls=tls, controller=controller, **places))
        storage = [*self.java("warn"), OFFLINE_TOOLS["storage"], "format", "-c", self.settings, "-t", "headwaterheadwaterheadw"]
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            storage += ["--add-scram", f"{mechanism}=[name={USER},password={PASSWORD}]"]
        call(storage, self.directory / "format.log")
        self.write_tools(plain)

    def write_tools(self, port):
        cases = [f'{name}) class={tool}; server="--bootstrap-server 127.0.0.1:{port}" ;;' for name, tool in TOOLS.items()]
        cases += [f"{name}) class={tool}; server= ;;" for name, tool in OFFLINE_TOOLS.items()]
        names = " ".join([*TOOLS, *OFFLINE_TOOLS])
        cases += [f'*) echo "{self.tools}: no tool \\"$tool\\"; there is {names}" >&2; exit 2 ;;']
        lines = [
            "tool=$1",
            '[ $# = 0 ] || shift',
            'case "$tool" in',
            *cases,
            "esac",
            # Who names a server means it, perhaps with --command-config.
            'case " $* " in *" --bootstrap-server "*) server= ;; esac',
            f'exec {quoted(self.java("error"))} "$class" $server "$@"',
        ]
        program(self.tools, "\n".join(lines) + "\n")

    def commands(self, ports):
        return [[*self.java("info"), "kafka.Kafka", self.settings]]

    def answers(self, ports):
        return brokers(ports[0]) == [ports[0]] and super().answers(ports)

    def variables_at(self, ports):
        return {
            "HEADWATER_LIVE_KAFKA": f"127.0.0.1:{ports[0]}",
            "HEADWATER_LIVE_KAFKA_TOOLS": str(self.tools),
            "HEADWATER_LIVE_KAFKA_TLS": f"127.0.0.1:{ports[1]}",
            "HEADWATER_LIVE_KAFKA_TLS_CA": str(self.certificate),
            "HEADWATER_LIVE_KAFKA_TLS_USER": USER,
            "HEADWATER_LIVE_KAFKA_TLS_PASSWORD": PASSWORD,
        }


def brokers(port):
    """The ports of the brokers that this one knows to be alive: its answer to Metadata, version 1, about no topic."""
    client = b"bed"
    request = struct.pack(">hhih", 3, 1, 7, len(client)) + client + struct.pack(">i", 0)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as answer:
            body = take(answer, struct.unpack(">i", take(answer, 4))[0])
    (count,), at, found = struct.unpack_from(">i", body, 4), 8, []
    for _ in range(count):
        (length,) = struct.unpack_from(">h", body, at + 4)
        (broker_port, rack) = struct.unpack_from(">ih", body, at + 6 + length)
        found.append(broker_port)
        at += 12 + length + max(rack, 0)
    return found


def take(stream, count):
    data = stream.read(count)
    if len(data) != count:
        raise ConnectionError("the answer broke off")
    return data
