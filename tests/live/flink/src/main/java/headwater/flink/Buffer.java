// SPDX-License-Identifier: Apache-2.0
package headwater.flink;

import java.io.BufferedWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.util.Collector;

/**
 * Takes a savepoint of a running updater: revisions, buffered events and event-time timers, as stop-with-savepoint
 * leaves them.
 *
 * <p>Revisions are the CSV's. About 500 of its entities, and a few that it does not know, have one to three made-up
 * events each, and a timer a minute after each event; times coincide now and then, which makes one timer of two.
 */
final class Buffer {
    private static final int HOLDERS = 500;
    private static final long DELAY_MS = 60_000;

    private static Map<String, Long> revisions;
    private static final Map<String, List<InputEvent>> buffers = new LinkedHashMap<>();
    private static final AtomicInteger seen = new AtomicInteger();

    private Buffer() {}

    static Judge.Result run(List<String> arguments) throws Exception {
        Options options = new Options(
                arguments,
                Set.of("--savepoint", "--csv", "--backend", "--parallelism", "--events-out"),
                Set.of("--compressed"));
        String backend = options.oneOf("--backend", "rocksdb", "hashmap");
        int parallelism = options.parallelism();
        String directory = options.need("--savepoint");
        Path eventsOut = Path.of(options.need("--events-out"));
        revisions = Judge.revisions(options.need("--csv"));

        Set<String> ids = new LinkedHashSet<>(revisions.keySet());
        int every = Math.max(1, revisions.size() / HOLDERS);
        int line = 0;
        int n = 0;
        for (Map.Entry<String, Long> entity : revisions.entrySet()) {
            if (line++ % every == 0) {
                n = fill(entity.getKey(), Math.abs(entity.getValue()) + 10, n);
            }
        }
        for (int unknown = 0; unknown < 10; unknown++) {
            String id = "Q" + (2_000_000_000 + unknown);
            if (ids.add(id)) {
                n = fill(id, 1 + unknown, n);
            }
        }

        JobClient job = Flink.start(
                Flink.settings(backend, options.has("--compressed")),
                parallelism,
                new ArrayList<>(ids),
                new KeyedProcessOperator<>(new Fill()));
        Flink.await(job, () -> seen.get() == ids.size());
        String savepoint = Flink.stop(job, directory);

        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("entities", revisions.size());
        facts.put("events", n);
        facts.put("timers", write(eventsOut));
        facts.put("savepoint", savepoint);
        return new Judge.Result(true, facts);
    }

    /** Makes up events for an entity; {@code n} counts all events. */
    private static int fill(String id, long revision, int n) {
        int count = 1 + buffers.size() % 3;
        List<InputEvent> events = new ArrayList<>();
        for (int event = 0; event < count; event++) {
            events.add(InputEvent.madeUp(n + event, id, revision + event));
        }
        buffers.put(id, events);
        return n + count;
    }

    /** Writes down what was buffered; gives the number of timers. */
    private static int write(Path file) throws Exception {
        int timers = 0;
        try (BufferedWriter out = Files.newBufferedWriter(file)) {
            for (Map.Entry<String, List<InputEvent>> buffer : buffers.entrySet()) {
                Set<Long> times = new LinkedHashSet<>();
                for (InputEvent event : buffer.getValue()) {
                    out.write(event.line(buffer.getKey()) + "\n");
                    times.add(event.eventTime() + DELAY_MS);
                }
                for (long time : times) {
                    out.write(InputEvent.timerLine(buffer.getKey(), time) + "\n");
                }
                timers += times.size();
            }
        }
        return timers;
    }

    private static final class Fill extends State.Function {
        Fill() {
            super(true);
        }

        @Override
        public void processElement(String id, Context context, Collector<Void> out) throws Exception {
            Long revision = revisions.get(id);
            if (revision != null) {
                lastSeen.update(revision);
            }
            for (InputEvent event : buffers.getOrDefault(id, List.of())) {
                events.add(event);
                context.timerService().registerEventTimeTimer(event.eventTime() + DELAY_MS);
            }
            seen.incrementAndGet();
        }
    }
}
