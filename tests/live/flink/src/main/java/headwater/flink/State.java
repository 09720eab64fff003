// SPDX-License-Identifier: Apache-2.0
package headwater.flink;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;

/** The state of the updater's operator, under the updater's names and with its serializers. */
final class State {
    static final ValueStateDescriptor<Long> LAST_SEEN = new ValueStateDescriptor<>("lastSeenRev", Types.LONG);
    static final ListStateDescriptor<InputEvent> REORDERING =
            new ListStateDescriptor<>("partial-re-ordering-state", InputEventSerializer.INSTANCE);

    private State() {}

    /** A function that opens this state; the reorder buffer only if it is to have one. */
    abstract static class Function extends KeyedProcessFunction<String, String, Void> {
        private final boolean reorders;
        protected transient ValueState<Long> lastSeen;
        protected transient ListState<InputEvent> events;

        Function(boolean reorders) {
            this.reorders = reorders;
        }

        @Override
        public void open(OpenContext context) {
            lastSeen = getRuntimeContext().getState(LAST_SEEN);
            events = reorders ? getRuntimeContext().getListState(REORDERING) : null;
        }
    }
}
