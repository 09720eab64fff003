// SPDX-License-Identifier: Apache-2.0
package headwater.judge;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.openrdf.model.Statement;
import org.openrdf.rio.helpers.RDFHandlerBase;
import org.openrdf.rio.ntriples.NTriplesUtil;

/** What the columns of the Spark table hold: each term as Sesame's NTriplesUtil writes it, a tab between. */
public final class Encode {
    private Encode() {}

    public static void main(String[] args) throws Exception {
        if (args.length < 2) {
            System.err.println("usage: encode <in.ttl> <out.tsv> [--new-labels]");
            System.exit(2);
        }
        boolean keepLabels = args.length == 2;
        try (PrintStream out = new PrintStream(Files.newOutputStream(Path.of(args[1])), false, StandardCharsets.UTF_8)) {
            Turtle.parse(Path.of(args[0]), new RDFHandlerBase() {
                @Override
                public void handleStatement(Statement statement) {
                    out.print(NTriplesUtil.toNTriplesString(statement.getSubject()) + '\t'
                            + NTriplesUtil.toNTriplesString(statement.getPredicate()) + '\t'
                            + NTriplesUtil.toNTriplesString(statement.getObject()) + '\n');
                }
            }, "http://www.wikidata.org", keepLabels);
        }
    }
}
