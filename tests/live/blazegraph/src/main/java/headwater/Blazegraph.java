// SPDX-License-Identifier: Apache-2.0
package headwater;

import java.net.InetSocketAddress;
import java.nio.file.Path;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.webapp.WebAppContext;

/**
 * Blazegraph as it is, on loopback: {@code PORT WAR PROPERTIES JOURNAL}, with its data in the file JOURNAL. Its own start looks for
 * resources in a way that only Java 8 allows.
 */
public final class Blazegraph {
    private Blazegraph() {}

    public static void main(String[] args) throws Exception {
        Path war = Path.of(args[1]);
        System.setProperty("com.bigdata.rdf.sail.webapp.ConfigParams.propertyFile", args[2]);
        System.setProperty("com.bigdata.journal.AbstractJournal.file", args[3]);
        WebAppContext app = new WebAppContext(war.toString(), "/bigdata");
        app.setDescriptor(war.resolve("WEB-INF/web.xml").toString());
        app.setParentLoaderPriority(true);
        Server server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])));
        server.setHandler(app);
        server.start();
        server.join();
    }
}
