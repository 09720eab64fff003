// SPDX-License-Identifier: Apache-2.0
package headwater.judge;

import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;
import org.openrdf.rio.RDFFormat;
import org.openrdf.rio.RDFHandler;
import org.openrdf.rio.RDFParser;
import org.openrdf.rio.Rio;
import org.openrdf.rio.helpers.BasicParserSettings;

/** Sesame's Turtle parser, set up as upstream does it. */
final class Turtle {
    private Turtle() {}

    static void parse(Path file, RDFHandler handler, String base, boolean keepLabels) throws Exception {
        RDFParser parser = Rio.createParser(RDFFormat.TURTLE);
        parser.getParserConfig().set(BasicParserSettings.PRESERVE_BNODE_IDS, keepLabels);
        parser.setRDFHandler(handler);
        try (Reader reader = reader(file)) {
            parser.parse(reader, base);
        }
    }

    private static Reader reader(Path file) throws IOException {
        InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
        if (file.toString().endsWith(".gz")) {
            in = new GZIPInputStream(in, 1 << 16);
        }
        return new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8), 1 << 16);
    }
}
