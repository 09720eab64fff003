// SPDX-License-Identifier: Apache-2.0
package headwater.judge;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.openrdf.model.Statement;
import org.openrdf.rio.RDFHandler;
import org.openrdf.rio.RDFHandlerException;
import org.openrdf.rio.helpers.RDFHandlerBase;
import org.openrdf.rio.helpers.RDFHandlerWrapper;
import org.slf4j.LoggerFactory;
import org.wikidata.query.rdf.common.uri.UrisScheme;
import org.wikidata.query.rdf.common.uri.UrisSchemeFactory;
import org.wikidata.query.rdf.tool.rdf.EntityMungingRdfHandler;
import org.wikidata.query.rdf.tool.rdf.Munger;
import org.wikidata.query.rdf.tool.rdf.NormalizingRdfHandler;

/** Drives upstream's own munger over a Turtle dump, as its command line does, on one thread. */
public final class Munge {
    private static final String USAGE = "usage: munge <in.ttl> <out.nt> [--skolemize] [--label-language en,de] [--single-label en,de]"
            + " [--skip-sitelinks] [--keep-types] [--commons | --host H] [--show-dropped]";

    private long statementsIn;
    private long statementsOut;
    private long entities;
    private final List<String> skipped = new ArrayList<>();

    private Munge() {}

    public static void main(String[] args) throws Exception {
        if (args.length < 2) {
            System.err.println(USAGE);
            System.exit(2);
        }
        new Munge().run(args);
    }

    private void run(String[] args) throws Exception {
        UrisScheme uris = uris(args);
        Munger.Builder builder = Munger.builder(uris);
        boolean showDropped = false;
        for (int i = 2; i < args.length; i++) {
            switch (args[i]) {
                case "--skolemize" -> builder.convertBNodesToSkolemIRIs(true);
                case "--label-language" -> builder.limitLabelLanguages(List.of(args[++i].split(",")));
                case "--single-label" -> builder.singleLabelMode(List.of(args[++i].split(",")));
                case "--skip-sitelinks" -> builder.removeSiteLinks();
                case "--keep-types" -> builder.keepTypes(true);
                case "--show-dropped" -> showDropped = true;
                case "--commons" -> { }
                case "--host" -> i++;
                default -> throw new IllegalArgumentException(args[i] + "\n" + USAGE);
            }
        }
        watch(showDropped);
        long start = System.nanoTime();
        try (Writer out = new BufferedWriter(Files.newBufferedWriter(Path.of(args[1]), StandardCharsets.UTF_8), 1 << 16)) {
            RDFHandler munger = new EntityMungingRdfHandler(uris, builder.build(), writer(out), count -> entities = count);
            // Upstream's parser supplier puts a normalizer in front of whatever it is given, and its caller adds another.
            RDFHandler chain = new NormalizingRdfHandler(new NormalizingRdfHandler(munger));
            Turtle.parse(Path.of(args[0]), counter(chain), uris.root(), true);
        } finally {
            double seconds = (System.nanoTime() - start) / 1e9;
            System.err.printf(Locale.ROOT, "entities %d, skipped %d, statements in %d, out %d, %.2f s, %.0f statements/s%n",
                    entities, skipped.size(), statementsIn, statementsOut, seconds, statementsIn / seconds);
            skipped.stream().limit(50).forEach(reason -> System.err.println("skipped: " + reason));
        }
    }

    private static UrisScheme uris(String[] args) {
        for (int i = 2; i < args.length; i++) {
            if (args[i].equals("--commons")) {
                return UrisSchemeFactory.COMMONS;
            }
            if (args[i].equals("--host")) {
                return UrisSchemeFactory.forWikidataHost(args[i + 1]);
            }
        }
        return UrisSchemeFactory.WIKIDATA;
    }

    private RDFHandler counter(RDFHandler next) {
        return new RDFHandlerWrapper(next) {
            @Override
            public void handleStatement(Statement statement) throws RDFHandlerException {
                statementsIn++;
                super.handleStatement(statement);
            }
        };
    }

    private RDFHandler writer(Writer out) {
        return new RDFHandlerBase() {
            @Override
            public void handleStatement(Statement statement) throws RDFHandlerException {
                statementsOut++;
                try {
                    out.write(NTriples.line(statement));
                } catch (IOException e) {
                    throw new RDFHandlerException(e);
                }
            }
        };
    }

    /** Upstream tells of a skipped entity, and of parked triples that it drops, in its log alone. */
    private void watch(boolean showDropped) {
        Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        root.detachAndStopAllAppenders();
        root.setLevel(Level.INFO);
        AppenderBase<ILoggingEvent> appender = new AppenderBase<>() {
            @Override
            protected void append(ILoggingEvent event) {
                String message = event.getFormattedMessage();
                if (message.startsWith("Error munging ")) {
                    String reason = event.getThrowableProxy().getClassName() + ": " + event.getThrowableProxy().getMessage();
                    skipped.add(message.substring(14) + ": " + reason.substring(0, Math.min(300, reason.length())));
                } else if (showDropped && message.startsWith("Unrecognized statement")) {
                    System.err.println("dropped: " + message.substring(24));
                }
            }
        };
        appender.setContext(root.getLoggerContext());
        appender.start();
        root.addAppender(appender);
    }
}
