// SPDX-License-Identifier: Apache-2.0
package headwater.flink;

import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.wikidata.query.rdf.updater.InputEventSerializerSnapshot;

/**
 * The bytes of a buffered event, as version 2 of the updater's own serializer writes them: fields in a fixed order,
 * text as in {@code writeUTF}, and before each optional field one byte that says whether it is there.
 */
public final class InputEventSerializer extends TypeSerializerSingleton<InputEvent> {
    public static final InputEventSerializer INSTANCE = new InputEventSerializer();

    @Override
    public void serialize(InputEvent event, DataOutputView out) throws IOException {
        out.writeUTF(event.item());
        out.writeLong(event.eventTime());
        out.writeLong(event.ingestionTime());
        out.writeLong(event.revision());
        out.writeLong(event.infoTime());
        writeOptional(event.id(), out);
        writeOptional(event.domain(), out);
        out.writeUTF(event.stream());
        writeOptional(event.requestId(), out);
        out.writeUTF(event.schema());
        out.writeUTF(event.type());
        if (event.type().equals(InputEvent.REV_CREATE)) {
            out.writeBoolean(event.parentRevision() != null);
            if (event.parentRevision() != null) {
                out.writeLong(event.parentRevision());
            }
        } else if (event.type().equals(InputEvent.RECONCILE)) {
            out.writeUTF(event.reconcile());
        }
    }

    @Override
    public InputEvent deserialize(DataInputView in) throws IOException {
        String item = in.readUTF();
        long eventTime = in.readLong();
        long ingestionTime = in.readLong();
        long revision = in.readLong();
        long infoTime = in.readLong();
        String id = readOptional(in);
        String domain = readOptional(in);
        String stream = in.readUTF();
        String requestId = readOptional(in);
        String schema = in.readUTF();
        String type = in.readUTF();
        if (!Arrays.asList(InputEvent.TYPES).contains(type)) {
            throw new IOException("no such type of event: " + type);
        }
        Long parent = type.equals(InputEvent.REV_CREATE) && in.readBoolean() ? in.readLong() : null;
        String reconcile = type.equals(InputEvent.RECONCILE) ? in.readUTF() : null;
        return new InputEvent(
                item, type, eventTime, ingestionTime, revision, parent, infoTime, id, domain, stream, requestId, schema,
                reconcile);
    }

    private static void writeOptional(String text, DataOutputView out) throws IOException {
        out.writeBoolean(text != null);
        if (text != null) {
            out.writeUTF(text);
        }
    }

    private static String readOptional(DataInputView in) throws IOException {
        return in.readBoolean() ? in.readUTF() : null;
    }

    @Override
    public TypeSerializerSnapshot<InputEvent> snapshotConfiguration() {
        return new InputEventSerializerSnapshot();
    }

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public InputEvent createInstance() {
        return InputEvent.madeUp(0, "Q1", 1);
    }

    @Override
    public InputEvent copy(InputEvent event) {
        return event;
    }

    @Override
    public InputEvent copy(InputEvent event, InputEvent reuse) {
        return event;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public InputEvent deserialize(InputEvent reuse, DataInputView in) throws IOException {
        return deserialize(in);
    }

    @Override
    public void copy(DataInputView in, DataOutputView out) throws IOException {
        serialize(deserialize(in), out);
    }
}
