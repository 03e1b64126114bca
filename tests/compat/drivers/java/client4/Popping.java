import com.google.gson.JsonObject;

/** The client 4.9 does not pop. */
final class Popping {
    Popping(String nameServer) {
    }

    JsonObject pop(JsonObject request) {
        throw lacking();
    }

    JsonObject end(JsonObject request) {
        throw lacking();
    }

    JsonObject endAll(JsonObject request) {
        throw lacking();
    }

    JsonObject notice(JsonObject request) {
        throw lacking();
    }

    private static UnsupportedOperationException lacking() {
        return new UnsupportedOperationException("the client 4.9 has no means for POP");
    }

    void close() {
    }
}
