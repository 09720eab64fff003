import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.io.TupleCsvInputFormat;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.typeutils.TupleTypeInfo;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.contrib.streaming.state.EmbeddedRocksDBStateBackend;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.state.StateBackend;
import org.apache.flink.runtime.state.hashmap.HashMapStateBackend;
import org.apache.flink.state.api.OperatorIdentifier;
import org.apache.flink.state.api.OperatorTransformation;
import org.apache.flink.state.api.SavepointWriter;
import org.apache.flink.state.api.StateBootstrapTransformation;
import org.apache.flink.state.api.functions.KeyedStateBootstrapFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Measures how long Apache Flink takes to turn a revision map into the savepoint that the WDQS
 * Streaming Updater starts from: what {@code headwater bootstrap --revision-map} does.
 *
 * <p>It does the work of Wikimedia's {@code UpdaterBootstrapJob} and nothing else: reads a CSV of
 * {@code entity,revision} lines, partitions them by entity and writes each revision to the
 * {@code ValueState<Long>} {@code lastSeenRev} of operator {@code DecideMutationOperation}, max
 * parallelism 1024. Here it is a batch job of the State Processor API, in a Flink cluster inside
 * this JVM: no job submission, no remote file system and no logging is measured. The start of the
 * JVM and of the cluster is, as the operator waits for those too.
 *
 * <p>Usage: {@code java -jar flink-bootstrap.jar CSV SAVEPOINT_DIR hashmap|rocksdb PARALLELISM}
 */
public final class FlinkBootstrap {
    private static final String OPERATOR_UID = "DecideMutationOperation";
    private static final int MAX_PARALLELISM = 1024;

    public static void main(String[] args) throws Exception {
        if (args.length != 4) {
            System.err.println("usage: flink-bootstrap CSV SAVEPOINT_DIR hashmap|rocksdb PARALLELISM");
            System.exit(2);
        }
        String csv = args[0];
        String savepoint = args[1];
        StateBackend backend = switch (args[2]) {
            case "hashmap" -> new HashMapStateBackend();
            case "rocksdb" -> new EmbeddedRocksDBStateBackend();
            default -> throw new IllegalArgumentException("no such state backend: " + args[2]);
        };
        int parallelism = Integer.parseInt(args[3]);

        Configuration config = new Configuration();
        // RocksDB's share; a local cluster gives it 128 MB if not told otherwise.
        config.set(TaskManagerOptions.MANAGED_MEMORY_SIZE, MemorySize.ofMebiBytes(1024));
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, config);
        env.setRuntimeMode(RuntimeExecutionMode.BATCH);

        TupleTypeInfo<Tuple2<String, Long>> row = new TupleTypeInfo<>(Types.STRING, Types.LONG);
        DataStream<Tuple2<String, Long>> revisions =
                env.createInput(new TupleCsvInputFormat<>(new Path(csv), row), row);
        StateBootstrapTransformation<Tuple2<String, Long>> state =
                OperatorTransformation.bootstrapWith(revisions)
                        .keyBy(revision -> revision.f0, Types.STRING)
                        .transform(new LastSeenRevision());
        SavepointWriter.newSavepoint(env, backend, MAX_PARALLELISM)
                .withOperator(OperatorIdentifier.forUid(OPERATOR_UID), state)
                .write(savepoint);
        env.execute("bootstrap");
    }

    /** Sets the state of the entity that a line is about. */
    private static final class LastSeenRevision
            extends KeyedStateBootstrapFunction<String, Tuple2<String, Long>> {
        private transient ValueState<Long> lastSeenRev;

        @Override
        public void open(Configuration parameters) {
            lastSeenRev =
                    getRuntimeContext()
                            .getState(new ValueStateDescriptor<>("lastSeenRev", Types.LONG));
        }

        @Override
        public void processElement(Tuple2<String, Long> revision, Context context)
                throws Exception {
            lastSeenRev.update(revision.f1);
        }
    }
}
