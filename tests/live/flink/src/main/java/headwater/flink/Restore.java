// SPDX-License-Identifier: Apache-2.0
package headwater.flink;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.util.Collector;

/**
 * Restores a savepoint into a streaming job and compares what is in it.
 *
 * <p>Promise: it passes only if every expected entity is <em>found by its key</em>, at its revision, every absent one is
 * not, and the state holds no other key. Looking up is what matters: Flink restores an entity that is stored in a wrong
 * key group, or a state of another name, without a word, and then never finds it. With {@code --events}, buffered events
 * and event-time timers are those of the file and no others.
 */
final class Restore {
    private static final int SHOWN = 10;

    private static Map<String, Long> expected;
    private static boolean compareEvents;
    private static final AtomicInteger differences = new AtomicInteger();
    private static final AtomicInteger opened = new AtomicInteger();
    private static final AtomicInteger lookedUp = new AtomicInteger();
    private static final AtomicInteger found = new AtomicInteger();
    private static final AtomicInteger keys = new AtomicInteger();
    private static final Queue<String> buffered = new ConcurrentLinkedQueue<>();

    private Restore() {}

    static Judge.Result run(List<String> arguments) throws Exception {
        Options options = new Options(
                arguments,
                Set.of("--savepoint", "--expect", "--absent", "--backend", "--parallelism", "--savepoint-out", "--format",
                        "--events"),
                Set.of("--timers"));
        String backend = options.oneOf("--backend", "rocksdb", "hashmap");
        int parallelism = options.parallelism();
        SavepointFormatType format = options.get("--format") == null
                ? SavepointFormatType.CANONICAL
                : SavepointFormatType.valueOf(options.oneOf("--format", "canonical", "native").toUpperCase());
        String directory = options.need("--savepoint-out");
        String events = options.get("--events");

        expected = Judge.revisions(options.need("--expect"));
        compareEvents = events != null;
        List<String> ids = new ArrayList<>(expected.keySet());
        if (options.get("--absent") != null) {
            for (String id : Files.readAllLines(Path.of(options.get("--absent")))) {
                if (expected.containsKey(id)) {
                    throw new Options.Wrong(id + " is both expected and absent");
                }
                ids.add(id);
            }
        }

        Configuration settings = Flink.settings(backend, false);
        Flink.restoreFrom(settings, options.need("--savepoint"));
        boolean reorders = options.has("--timers") || compareEvents;
        JobClient job = Flink.start(settings, parallelism, ids, new LookUp(reorders));
        Flink.await(job, () -> lookedUp.get() == ids.size() && opened.get() == parallelism);
        if (keys.get() != expected.size()) {
            differ("the state holds " + keys + " keys, " + expected.size() + " are expected");
        }
        if (compareEvents) {
            compare(Files.readAllLines(Path.of(events)), new ArrayList<>(buffered));
        }
        String savepoint = Flink.savepoint(job, directory, format);
        job.cancel().get();

        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("looked_up", lookedUp);
        facts.put("found", found);
        facts.put("keys", keys);
        if (compareEvents) {
            facts.put("events_and_timers", buffered.size());
        }
        facts.put("differences", differences);
        facts.put("savepoint", savepoint);
        return new Judge.Result(differences.get() == 0, facts);
    }

    private static void differ(String difference) {
        if (differences.incrementAndGet() <= SHOWN) {
            System.err.println(difference);
        }
    }

    /** Compares two sets of lines in which a line may stand more than once. */
    private static void compare(List<String> wanted, List<String> seen) {
        Map<String, Integer> counts = new LinkedHashMap<>();
        wanted.forEach(line -> counts.merge(line, 1, Integer::sum));
        seen.forEach(line -> counts.merge(line, -1, Integer::sum));
        counts.forEach((line, count) -> {
            if (count != 0) {
                differ((count > 0 ? "expected, not buffered: " : "buffered, not expected: ") + line.replace('\t', ' '));
            }
        });
    }

    /** The updater's operator as far as its state goes. It counts all keys once, then looks up each id it is given. */
    private static final class LookUp extends KeyedProcessOperator<String, String, Void> {
        private final boolean reorders;

        LookUp(boolean reorders) {
            super(new Entities(reorders));
            this.reorders = reorders;
        }

        @Override
        public void open() throws Exception {
            super.open();
            KeyedStateBackend<String> backend = getKeyedStateBackend();
            try (Stream<String> all = backend.getKeys(State.LAST_SEEN.getName(), VoidNamespace.INSTANCE)) {
                all.forEach(key -> {
                    keys.incrementAndGet();
                    if (!expected.containsKey(key)) {
                        differ(key + ": in the state, not expected");
                    }
                });
            }
            if (compareEvents) {
                gatherEvents(backend);
            }
            opened.incrementAndGet();
        }

        private void gatherEvents(KeyedStateBackend<String> backend) throws Exception {
            ListState<InputEvent> events = ((Entities) userFunction).events;
            List<String> holders;
            try (Stream<String> all = backend.getKeys(State.REORDERING.getName(), VoidNamespace.INSTANCE)) {
                holders = all.toList();
            }
            for (String key : holders) {
                backend.setCurrentKey(key);
                for (InputEvent event : events.get()) {
                    buffered.add(event.line(key));
                }
            }
            InternalTimerService<VoidNamespace> timers =
                    getInternalTimerService("user-timers", VoidNamespaceSerializer.INSTANCE, this);
            timers.forEachEventTimeTimer(
                    (namespace, time) -> buffered.add(InputEvent.timerLine((String) getCurrentKey(), time)));
        }
    }

    private static final class Entities extends State.Function {
        Entities(boolean reorders) {
            super(reorders);
        }

        @Override
        public void processElement(String id, Context context, Collector<Void> out) throws Exception {
            Long wanted = expected.get(id);
            Long is = lastSeen.value();
            if (is != null) {
                found.incrementAndGet();
            }
            if (wanted == null ? is != null : !wanted.equals(is)) {
                String seen = is == null ? "not found" : "is " + is;
                differ(id + ": expected " + (wanted == null ? "absent" : wanted) + ", " + seen);
            }
            lookedUp.incrementAndGet();
        }
    }
}
