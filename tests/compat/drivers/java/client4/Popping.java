import com.google.gson.JsonObject;

/** The client 4.9 does not pop. */
final class Popping {
    Popping(String nameServer) {
    }

    JsonObject pop(JsonObject request) {
        throw new UnsupportedOperationException("the client 4.9 has no means for POP");
    }

    JsonObject end(JsonObject request) {
        throw new UnsupportedOperationException("the client 4.9 has no means for POP");
    }

    void close() {
    }
}
