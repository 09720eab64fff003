// SPDX-License-Identifier: Apache-2.0
package headwater.flink;

/**
 * An event that waits in the updater's reorder buffer. Times are in milliseconds since 1970; a null is a field that is
 * not there. {@code type} is one of {@link #TYPES}; only the first has a parent revision, only the last a reconcile kind.
 */
public record InputEvent(
        String item,
        String type,
        long eventTime,
        long ingestionTime,
        long revision,
        Long parentRevision,
        long infoTime,
        String id,
        String domain,
        String stream,
        String requestId,
        String schema,
        String reconcile) {

    static final String REV_CREATE = "RevCreate";
    static final String RECONCILE = "ReconcileInputEvent";
    static final String[] TYPES = {REV_CREATE, "PageDelete", "PageUndelete", RECONCILE};
    private static final String[] STREAMS = {
        "mediawiki.revision-create", "mediawiki.page-delete", "mediawiki.page-undelete", "rdf-streaming-updater.reconcile"
    };
    private static final String[] SCHEMAS = {
        "/mediawiki/revision/create/1.0.0",
        "/mediawiki/page/delete/1.0.0",
        "/mediawiki/page/undelete/1.0.0",
        "/rdf_streaming_updater/reconcile/1.0.0"
    };

    /**
     * The {@code n}th made-up event of an entity: any 48 in a row hold every type with and without each optional field.
     * Its three times differ, so that a reader cannot take one for another unseen; the info's is 1 ms after the event's.
     */
    static InputEvent madeUp(int n, String item, long revision) {
        int variant = n / 8 % 6; // two of RevCreate and of ReconcileInputEvent, one of the others
        int type = Math.max(0, Math.min(variant - 1, 3));
        long time = 1_700_000_000_000L + 37L * (n / 2);
        return new InputEvent(
                item,
                TYPES[type],
                time,
                time + 1500 + n % 7,
                revision,
                variant == 1 ? Long.valueOf(revision - 10) : null,
                time + 1,
                (n & 1) != 0 ? "id-" + n : null,
                (n & 2) != 0 ? (n % 5 == 0 ? "wiki-é-😀.example" : "www.wikidata.org") : null,
                STREAMS[type],
                (n & 4) != 0 ? "request-" + n : null,
                SCHEMAS[type],
                type == 3 ? (variant == 4 ? "ReconcileCreation" : "ReconcileDeletion") : null);
    }

    /** One line of twelve columns between tabs; what is not there is a hyphen. The info's time is left out. */
    String line(String key) {
        Object[] columns = {
            key, type, eventTime, ingestionTime, revision, parentRevision, domain, stream, requestId, schema, id, reconcile
        };
        StringBuilder line = new StringBuilder();
        for (Object column : columns) {
            line.append(line.length() == 0 ? "" : "\t").append(column == null ? "-" : column);
        }
        return line.toString();
    }

    /** A timer, in the same file as the events. */
    static String timerLine(String key, long timestamp) {
        return "timer\t" + key + "\t" + timestamp;
    }
}
