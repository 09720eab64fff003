// SPDX-License-Identifier: Apache-2.0
package headwater.flink;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.io.TupleCsvInputFormat;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.typeutils.TupleTypeInfo;
import org.apache.flink.configuration.BatchExecutionOptions;
import org.apache.flink.configuration.Configuration;
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
 * Writes a savepoint the way the updater's bootstrap job does: a batch job of the State Processor API reads a revision
 * map and writes each revision to {@code lastSeenRev}, and nothing else. {@code --savepoint} is the savepoint itself.
 */
final class Write {
    private Write() {}

    static Judge.Result run(List<String> arguments) throws Exception {
        Options options = new Options(
                arguments, Set.of("--savepoint", "--csv", "--backend", "--parallelism"), Set.of("--compressed"));
        String name = options.oneOf("--backend", "rocksdb", "hashmap");
        StateBackend backend = name.equals("rocksdb") ? new EmbeddedRocksDBStateBackend() : new HashMapStateBackend();
        String csv = options.need("--csv");
        String savepoint = options.need("--savepoint");
        int parallelism = options.parallelism();
        int entities = Judge.revisions(csv).size();

        Configuration settings = Flink.settings(name, options.has("--compressed"));
        // In batch, Flink would choose the parallelism by the amount of data: 1 for 200,000 entities.
        settings.set(BatchExecutionOptions.ADAPTIVE_AUTO_PARALLELISM_ENABLED, false);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(parallelism, settings);
        env.setRuntimeMode(RuntimeExecutionMode.BATCH);
        TupleTypeInfo<Tuple2<String, Long>> row = new TupleTypeInfo<>(Types.STRING, Types.LONG);
        DataStream<Tuple2<String, Long>> revisions =
                env.createInput(new TupleCsvInputFormat<>(new Path(csv), row), row);
        StateBootstrapTransformation<Tuple2<String, Long>> state =
                OperatorTransformation.bootstrapWith(revisions)
                        .keyBy(revision -> revision.f0, Types.STRING)
                        .transform(new LastSeen());
        SavepointWriter.newSavepoint(env, backend, Flink.MAX_PARALLELISM)
                .withOperator(OperatorIdentifier.forUid(Flink.OPERATOR_UID), state)
                .write(savepoint);
        Flink.finish(env.executeAsync("write"));
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("entities", entities);
        facts.put("savepoint", savepoint);
        return new Judge.Result(true, facts);
    }

    /** Sets the state of the entity that a line is about. */
    private static final class LastSeen extends KeyedStateBootstrapFunction<String, Tuple2<String, Long>> {
        private transient ValueState<Long> lastSeen;

        @Override
        public void open(Configuration parameters) {
            lastSeen = getRuntimeContext().getState(State.LAST_SEEN);
        }

        @Override
        public void processElement(Tuple2<String, Long> revision, Context context) throws Exception {
            lastSeen.update(revision.f1);
        }
    }
}
