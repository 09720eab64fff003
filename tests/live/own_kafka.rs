//! A Kafka of a test's own, which may be killed and started again.
//!
//! Promise: it comes back with all that it had acknowledged, at the same address.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TOOLS: &str = "HEADWATER_LIVE_KAFKA_TOOLS";
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// One broker, its own controller. It ends when it is dropped.
pub struct OwnKafka {
    dir: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl OwnKafka {
    /// A new one, that is up.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let [port, controller] = held.each_ref().map(|listener| listener.local_addr().expect("an address").port());
        drop(held);
        let settings = format!(
            "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             log.dirs={}\nauto.create.topics.enable=false\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=2\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=2\n\
             transaction.abort.timed.out.transaction.cleanup.interval.ms=500\n",
            dir.path().join("logs").display()
        );
        fs::write(dir.path().join("server.properties"), settings).expect("the directory can be written");
        let mut kafka = Self { dir, port, child: None };
        let mut format = kafka.tool(&["storage", "format", "-t", "headwaterheadwaterheadw", "-c"]);
        let formatted = format.arg(kafka.settings()).output().expect("the program can be started");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stdout));
        kafka.start();
        kafka
    }

    fn settings(&self) -> PathBuf {
        self.dir.path().join("server.properties")
    }

    fn tool(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os(TOOLS).expect("set where Kafka is"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Where it listens.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it, and waits until it listens.
    pub fn start(&mut self) {
        let log = fs::File::create(self.dir.path().join("server.log")).expect("the directory can be written");
        let mut command = self.tool(&["server"]);
        let command = command.arg(self.settings()).stdout(log.try_clone().expect("a file")).stderr(log);
        self.child = Some(command.spawn().expect("the program can be started"));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "Kafka does not listen");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Kills it.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it is gone");
        }
    }
}

impl Drop for OwnKafka {
    fn drop(&mut self) {
        self.kill();
    }
}
