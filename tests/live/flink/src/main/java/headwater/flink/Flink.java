// SPDX-License-Identifier: Apache-2.0
package headwater.flink;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.checkpoint.CheckpointException;
import org.apache.flink.runtime.checkpoint.CheckpointFailureReason;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.source.SourceFunction;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.util.ExceptionUtils;

/**
 * Flink inside this JVM: its settings, the one streaming job that all subcommands vary, and waiting with an end.
 *
 * <p>Every job runs in this JVM and without class loaders of its own, so source and operator share what is static with
 * {@code main}: which ids to feed, what to expect, what was seen. Only ids travel through the stream.
 */
final class Flink {
    static final String OPERATOR_UID = "DecideMutationOperation";
    static final int MAX_PARALLELISM = 1024;
    /** How long anything may take. */
    private static final Duration PATIENCE = Duration.ofMinutes(5);

    /** What was asked for did not come about, and Flink does not say why. */
    static final class Failed extends Exception {
        Failed(String message) {
            super(message);
        }
    }

    private Flink() {}

    /** Settings: state in {@code backend}; checkpoints and local files in a directory that goes with this JVM. */
    static Configuration settings(String backend, boolean compressed) throws IOException {
        File directory = Files.createTempDirectory("flink-judge-").toFile();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(directory)));
        Configuration settings = new Configuration();
        settings.set(StateBackendOptions.STATE_BACKEND, backend);
        // Without a directory, Flink would put all state into the savepoint's _metadata, however much it is.
        settings.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, new File(directory, "checkpoints").toURI().toString());
        settings.set(CoreOptions.TMP_DIRS, directory.getPath());
        settings.setString("execution.checkpointing.snapshot-compression", Boolean.toString(compressed));
        // Flink would listen on all addresses.
        settings.set(JobManagerOptions.BIND_HOST, "127.0.0.1");
        settings.set(RestOptions.BIND_ADDRESS, "127.0.0.1");
        settings.set(TaskManagerOptions.BIND_HOST, "127.0.0.1");
        // RocksDB's share.
        settings.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(256));
        return settings;
    }

    static void restoreFrom(Configuration settings, String savepoint) {
        settings.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
    }

    /** Starts the job: ids go by key to the operator, then nothing happens until the job is stopped. */
    static JobClient start(
            Configuration settings, int parallelism, List<String> ids, KeyedProcessOperator<String, String, Void> operator)
            throws Exception {
        Feed.ids = ids;
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(parallelism, settings);
        env.addSource(new Feed(), "ids", Types.STRING)
                .keyBy(id -> id, Types.STRING)
                .transform("judge", Types.VOID, operator)
                .uid(OPERATOR_UID)
                .setMaxParallelism(MAX_PARALLELISM);
        return env.executeAsync("judge");
    }

    /** Waits until {@code done}. A job that ends before is a failure, with the reason Flink gives. */
    static void await(JobClient job, BooleanSupplier done) throws Exception {
        // Not by asking for the job's status: the cluster is gone as soon as its job has ended.
        CompletableFuture<JobExecutionResult> ended = job.getJobExecutionResult();
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!done.getAsBoolean()) {
            if (ended.isDone()) {
                ended.get();
                throw new Failed("the job ended by itself");
            }
            if (System.nanoTime() > end) {
                throw new Failed("nothing came of it in " + PATIENCE.toMinutes() + " minutes");
            }
            Thread.sleep(20);
        }
    }

    /** Takes a savepoint below {@code directory} and lets the job run on; gives the savepoint's place. */
    static String savepoint(JobClient job, String directory, SavepointFormatType format) throws Exception {
        String place = insist(job, () -> job.triggerSavepoint(directory, format));
        if (job.getJobStatus().get(PATIENCE.toSeconds(), TimeUnit.SECONDS) != JobStatus.RUNNING) {
            throw new Failed("the job did not run on after its savepoint");
        }
        return place;
    }

    /** Stops the job with a savepoint below {@code directory}; timers do not fire. */
    static String stop(JobClient job, String directory) throws Exception {
        return insist(job, () -> job.stopWithSavepoint(false, directory, SavepointFormatType.CANONICAL));
    }

    /** Asks for a savepoint until every task runs: the job's master hears of that later than the tasks themselves. */
    private static String insist(JobClient job, Supplier<CompletableFuture<String>> savepoint) throws Exception {
        AtomicReference<String> place = new AtomicReference<>();
        AtomicReference<Exception> refusal = new AtomicReference<>();
        await(job, () -> {
            try {
                place.set(savepoint.get().get(PATIENCE.toSeconds(), TimeUnit.SECONDS));
                return true;
            } catch (Exception failure) {
                refusal.set(failure);
                return !ExceptionUtils.findThrowable(failure, CheckpointException.class)
                        .map(CheckpointException::getCheckpointFailureReason)
                        .filter(CheckpointFailureReason.NOT_ALL_REQUIRED_TASKS_RUNNING::equals)
                        .isPresent();
            }
        });
        if (place.get() == null) {
            throw refusal.get();
        }
        return place.get();
    }

    /** Waits for the end of a job that ends by itself. */
    static void finish(JobClient job) throws Exception {
        job.getJobExecutionResult().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    }

    /** Deletes as far as it goes: Flink may be deleting at the same time. */
    private static void delete(File file) {
        File[] within = file.listFiles();
        if (within != null) {
            Arrays.stream(within).forEach(Flink::delete);
        }
        file.delete();
    }

    /** Emits every id once, then stays, so that the job runs on. */
    @SuppressWarnings("deprecation") // the one kind of source that needs no more than this
    private static final class Feed implements SourceFunction<String> {
        static volatile List<String> ids;
        private volatile boolean running = true;

        @Override
        public void run(SourceContext<String> context) throws Exception {
            for (String id : ids) {
                if (!running) {
                    return;
                }
                context.collect(id);
            }
            while (running) {
                Thread.sleep(20);
            }
        }

        @Override
        public void cancel() {
            running = false;
        }
    }
}
