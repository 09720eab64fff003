// SPDX-License-Identifier: Apache-2.0
package headwater.flink;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;

/**
 * Judges savepoints with real Flink, all within this JVM, on loopback only.
 *
 * <p>Promise: exit code 0 if all is as expected, 1 if not, 2 if asked wrongly; one line of JSON on stdout, whatever
 * happened (but for 2); up to ten differences, or Flink's own reasons, on stderr.
 */
public final class Judge {
    private static final String USAGE =
            """
            usage: judge restore --savepoint URI --expect FILE [--absent FILE] --savepoint-out URI
                                 [--format canonical|native] [--timers] [--events FILE]
                   judge write   --savepoint URI --csv FILE [--compressed]
                   judge buffer  --savepoint URI --csv FILE --events-out FILE [--compressed]
            each with     --backend rocksdb|hashmap --parallelism N

            restore  a streaming job starts from the savepoint, looks up every entity, then takes a savepoint of its own
            write    a batch job writes a savepoint, as the updater's bootstrap does
            buffer   a streaming job with buffered events and timers stops with a savepoint
            """;

    /** What came of a subcommand. */
    record Result(boolean ok, Map<String, Object> facts) {}

    public static void main(String[] arguments) {
        int code;
        long start = System.nanoTime();
        try {
            Result result = run(List.of(arguments));
            report(result.ok, result.facts, start);
            code = result.ok ? 0 : 1;
        } catch (Options.Wrong wrong) {
            System.err.println(wrong.getMessage() + "\n" + USAGE);
            code = 2;
        } catch (Exception failure) {
            report(false, Map.of("error", reasons(failure)), start);
            code = 1;
        }
        // Flink's threads would keep the JVM; nothing they do now matters.
        System.exit(code);
    }

    private static Result run(List<String> arguments) throws Exception {
        if (arguments.isEmpty()) {
            throw new Options.Wrong("what shall be judged?");
        }
        List<String> rest = arguments.subList(1, arguments.size());
        return switch (arguments.get(0)) {
            case "restore" -> Restore.run(rest);
            case "write" -> Write.run(rest);
            case "buffer" -> Buffer.run(rest);
            default -> throw new Options.Wrong("no such subcommand: " + arguments.get(0));
        };
    }

    /** Entity to revision, in the file's order, from lines of an id, a tab or comma, and a number. */
    static Map<String, Long> revisions(String file) throws IOException {
        Map<String, Long> revisions = new LinkedHashMap<>();
        for (String line : Files.readAllLines(Path.of(file))) {
            String[] columns = line.split("[\t,]");
            if (columns.length != 2) {
                throw new Options.Wrong(file + ": not an id and a number: " + line);
            }
            if (revisions.put(columns[0], Long.valueOf(columns[1])) != null) {
                throw new Options.Wrong(file + ": " + columns[0] + " stands there twice");
            }
        }
        return revisions;
    }

    private static void report(boolean ok, Map<String, Object> facts, long start) {
        StringJoiner line = new StringJoiner(",", "{", "}");
        line.add("\"ok\":" + ok);
        facts.forEach((name, value) -> line.add(text(name) + ":" + (value instanceof Number ? value : text(value))));
        line.add("\"seconds\":" + (System.nanoTime() - start) / 100_000_000 / 10.0);
        System.out.println(line);
    }

    private static String text(Object value) {
        StringBuilder text = new StringBuilder("\"");
        for (char c : value.toString().toCharArray()) {
            if (c == '"' || c == '\\') {
                text.append('\\').append(c);
            } else if (c < ' ') {
                text.append(String.format("\\u%04x", (int) c));
            } else {
                text.append(c);
            }
        }
        return text.append('"').toString();
    }

    /** All reasons go to stderr, the outermost first; the innermost, which says most, is returned. */
    private static String reasons(Throwable failure) {
        Throwable reason = failure;
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            reason = cause;
            System.err.println(cause);
        }
        Arrays.stream(reason.getStackTrace()).limit(5).forEach(at -> System.err.println("    at " + at));
        return reason.toString();
    }
}
