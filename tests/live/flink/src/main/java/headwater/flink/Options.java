// SPDX-License-Identifier: Apache-2.0
package headwater.flink;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The options of a subcommand, each given once: {@code --name value}, or {@code --name} alone for a switch. */
final class Options {
    /** What the caller must correct. */
    static final class Wrong extends RuntimeException {
        Wrong(String message) {
            super(message);
        }
    }

    private final Map<String, String> values = new HashMap<>();
    private final Set<String> switches = new HashSet<>();

    Options(List<String> arguments, Set<String> known, Set<String> knownSwitches) {
        for (int at = 0; at < arguments.size(); at++) {
            String name = arguments.get(at);
            if (knownSwitches.contains(name)) {
                switches.add(name);
            } else if (!known.contains(name)) {
                throw new Wrong("no such option: " + name);
            } else if (++at == arguments.size()) {
                throw new Wrong(name + " needs a value");
            } else if (values.put(name, arguments.get(at)) != null) {
                throw new Wrong(name + " is given twice");
            }
        }
    }

    String need(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new Wrong(name + " is missing");
        }
        return value;
    }

    /** The value, or null. */
    String get(String name) {
        return values.get(name);
    }

    boolean has(String name) {
        return switches.contains(name);
    }

    /** The value, which must be one of these. */
    String oneOf(String name, String... choices) {
        String value = need(name);
        if (!List.of(choices).contains(value)) {
            throw new Wrong(name + " is one of " + String.join(", ", choices) + ", not " + value);
        }
        return value;
    }

    int parallelism() {
        String value = need("--parallelism");
        if (!value.matches("[1-9][0-9]{0,3}") || Integer.parseInt(value) > Flink.MAX_PARALLELISM) {
            throw new Wrong("--parallelism is a number from 1 to " + Flink.MAX_PARALLELISM + ", not " + value);
        }
        return Integer.parseInt(value);
    }
}
