// SPDX-License-Identifier: Apache-2.0
package headwater.judge;

import org.openrdf.model.BNode;
import org.openrdf.model.Literal;
import org.openrdf.model.Statement;
import org.openrdf.model.Value;
import org.openrdf.model.vocabulary.XMLSchema;

/** Plain UTF-8 N-Triples; nothing is escaped that need not be. */
final class NTriples {
    private NTriples() {}

    static String line(Statement statement) {
        StringBuilder out = new StringBuilder();
        term(out, statement.getSubject());
        out.append(' ');
        term(out, statement.getPredicate());
        out.append(' ');
        term(out, statement.getObject());
        return out.append(" .\n").toString();
    }

    private static void term(StringBuilder out, Value value) {
        if (value instanceof BNode) {
            out.append("_:").append(((BNode) value).getID());
        } else if (value instanceof Literal) {
            Literal literal = (Literal) value;
            out.append('"');
            escape(out, literal.getLabel());
            out.append('"');
            if (literal.getLanguage() != null) {
                out.append('@').append(literal.getLanguage());
            } else if (literal.getDatatype() != null && !literal.getDatatype().equals(XMLSchema.STRING)) {
                out.append("^^<").append(literal.getDatatype().stringValue()).append('>');
            }
        } else {
            out.append('<').append(value.stringValue()).append('>');
        }
    }

    private static void escape(StringBuilder out, String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '\\' -> out.append("\\\\");
                case '"' -> out.append("\\\"");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (c < ' ' || c == 0x7F || isLoneSurrogate(text, i)) {
                        out.append(String.format("\\u%04X", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
    }

    /** Half a character cannot be written as UTF-8: it is shown as an escape. */
    private static boolean isLoneSurrogate(String text, int i) {
        char c = text.charAt(i);
        if (Character.isHighSurrogate(c)) {
            return i + 1 == text.length() || !Character.isLowSurrogate(text.charAt(i + 1));
        }
        return Character.isLowSurrogate(c) && (i == 0 || !Character.isHighSurrogate(text.charAt(i - 1)));
    }
}
