import com.google.gson.JsonObject;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.remoting.RPCHook;

/** In whose name a client asks. */
final class Signing {
    private Signing() {
    }

    /** What signs the requests of a client, or null when it is not told in whose name. */
    static RPCHook hook(JsonObject request) {
        String user = user(request);
        if (user.isEmpty()) {
            return null;
        }
        return new AclClientRPCHook(new SessionCredentials(user, Json.text(request, "secret_key")));
    }

    /** Whose name that is; empty for nobody's. Clients of different users must not share connections. */
    static String user(JsonObject request) {
        return Json.text(request, "access_key", "");
    }
}
