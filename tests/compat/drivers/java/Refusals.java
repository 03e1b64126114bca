import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** How often a listener refuses which message. */
final class Refusals {
    private final Map<String, Integer> left = new ConcurrentHashMap<>();
    private final int others;

    Refusals(JsonObject request) {
        int all = 0;
        if (request.has("refuse")) {
            for (Map.Entry<String, JsonElement> entry : request.getAsJsonObject("refuse").entrySet()) {
                if (entry.getKey().equals("*")) {
                    all = entry.getValue().getAsInt();
                } else {
                    left.put(entry.getKey(), entry.getValue().getAsInt());
                }
            }
        }
        others = all;
    }

    /** Whether this delivery is refused; the next one may not be. */
    boolean refuse(String body) {
        int before = left.getOrDefault(body, others);
        if (before > 0) {
            left.put(body, before - 1);
        }
        return before != 0;
    }
}
