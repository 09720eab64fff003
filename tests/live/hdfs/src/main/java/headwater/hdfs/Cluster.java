// SPDX-License-Identifier: Apache-2.0
package headwater.hdfs;

import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.minikdc.MiniKdc;
import org.apache.hadoop.security.UserGroupInformation;

/** HDFS in one process, a name node and one data node, open to everyone or to who has a ticket of its own KDC. */
public final class Cluster {
    private static final String SERVER = "hdfs/localhost";

    /** What a client must know too; it finds it in core-site.xml and hdfs-site.xml. */
    private final Configuration client = new Configuration(false);

    private final Configuration server = new Configuration();
    private final Path directory;

    private Cluster(Path directory) {
        this.directory = directory;
    }

    /**
     * Arguments: the port of the name node; a directory, of which `data` and `conf` are ours, and with Kerberos `krb5.conf`,
     * `client.keytab` and `server.keytab`; `simple` or `kerberos`; and with Kerberos the client's name. Serves until it is killed;
     * `conf/hdfs-site.xml` is there once it does.
     */
    public static void main(String[] args) throws Exception {
        // Nothing is kept, so nothing needs to be closed in order.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> Runtime.getRuntime().halt(0)));
        Cluster cluster = new Cluster(Path.of(args[1]));
        if (args[2].equals("kerberos")) {
            cluster.guard(args[3]);
        }
        cluster.serve(Integer.parseInt(args[0]));
        Thread.currentThread().join();
    }

    private void guard(String user) throws Exception {
        Path work = Files.createDirectories(directory.resolve("data/kdc"));
        MiniKdc kdc = new MiniKdc(MiniKdc.createConf(), work.toFile());
        kdc.start();
        String keytab = directory.resolve("server.keytab").toString();
        kdc.createPrincipal(directory.resolve("server.keytab").toFile(), SERVER, "HTTP/localhost");
        kdc.createPrincipal(directory.resolve("client.keytab").toFile(), user);
        Files.copy(kdc.getKrb5conf().toPath(), directory.resolve("krb5.conf"), StandardCopyOption.REPLACE_EXISTING);

        String principal = SERVER + "@" + kdc.getRealm();
        both("hadoop.security.authentication", "kerberos");
        both("hadoop.security.authorization", "true");
        both("hadoop.rpc.protection", "privacy");
        both("dfs.namenode.kerberos.principal", principal);
        both("dfs.datanode.kerberos.principal", principal);
        both("dfs.block.access.token.enable", "true");
        both("dfs.data.transfer.protection", "privacy");
        server.set("dfs.namenode.keytab.file", keytab);
        server.set("dfs.datanode.keytab.file", keytab);
        server.set("dfs.web.authentication.kerberos.principal", "HTTP/localhost@" + kdc.getRealm());
        server.set("dfs.web.authentication.kerberos.keytab", keytab);
        // Else the data node wants ports below 1024, or certificates for its web pages.
        server.set("ignore.secure.ports.for.testing", "true");
        UserGroupInformation.setConfiguration(server);
        UserGroupInformation.loginUserFromKeytab(principal, keytab);
    }

    private void serve(int port) throws Exception {
        server.set("hdfs.minidfs.basedir", directory.resolve("data").toString());
        server.set("dfs.namenode.fs-limits.min-block-size", "4096");
        server.set("dfs.namenode.safemode.extension", "0");
        server.set("dfs.heartbeat.interval", "1");
        // How full the machine's disk is does not matter: what tests leave behind is little.
        server.set("dfs.datanode.du.reserved", "0");
        server.set("dfs.namenode.resource.du.reserved", "0");
        both("dfs.replication", "1");
        // Large files have several blocks. Smaller ones are written faster than the name node hears of the one before the last, for
        // which the program's client does not wait.
        both("dfs.blocksize", "8m");

        MiniDFSCluster cluster = new MiniDFSCluster.Builder(server)
                .nameNodePort(port)
                .numDataNodes(1)
                .checkDataNodeHostConfig(false)
                .build();
        cluster.waitActive();
        // Who runs this is the superuser; the tests may be someone else.
        cluster.getFileSystem().setPermission(new org.apache.hadoop.fs.Path("/"), new FsPermission((short) 01777));
        client.set("fs.defaultFS", "hdfs://localhost:" + port);
        client.set("dfs.namenode.http-address", cluster.getConfiguration(0).get("dfs.namenode.http-address"));
        Path conf = Files.createDirectories(directory.resolve("conf"));
        for (String name : new String[] {"core-site.xml", "hdfs-site.xml"}) {
            Path part = conf.resolve(name + ".part");
            try (OutputStream out = Files.newOutputStream(part)) {
                client.writeXml(out);
            }
            Files.move(part, conf.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private void both(String name, String value) {
        client.set(name, value);
        server.set(name, value);
    }
}
