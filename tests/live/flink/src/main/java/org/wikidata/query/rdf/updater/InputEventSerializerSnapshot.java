// SPDX-License-Identifier: Apache-2.0
package org.wikidata.query.rdf.updater;

import headwater.flink.InputEvent;
import headwater.flink.InputEventSerializer;
import java.io.IOException;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSchemaCompatibility;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What a savepoint's header says of the serializer of buffered events: this class's name and version, and nothing
 * else. Both are the updater's own, so that its savepoints are read here and ours there.
 */
public final class InputEventSerializerSnapshot implements TypeSerializerSnapshot<InputEvent> {
    private static final int VERSION = 2;

    @Override
    public int getCurrentVersion() {
        return VERSION;
    }

    @Override
    public void writeSnapshot(DataOutputView out) {}

    @Override
    public void readSnapshot(int version, DataInputView in, ClassLoader loader) throws IOException {
        if (version != VERSION) {
            throw new IOException("buffered events of version " + version + "; only " + VERSION + " is known");
        }
    }

    @Override
    public TypeSerializer<InputEvent> restoreSerializer() {
        return InputEventSerializer.INSTANCE;
    }

    @Override
    public TypeSerializerSchemaCompatibility<InputEvent> resolveSchemaCompatibility(
            TypeSerializerSnapshot<InputEvent> written) {
        return written instanceof InputEventSerializerSnapshot
                ? TypeSerializerSchemaCompatibility.compatibleAsIs()
                : TypeSerializerSchemaCompatibility.incompatible();
    }
}
