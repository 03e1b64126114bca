import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Requests that wait for the reply of a consumer. */
final class Requests {
    private final Sending sending;

    Requests(Sending sending) {
        this.sending = sending;
    }

    JsonObject ask(JsonObject request) throws Exception {
        Message reply = sending.producer().request(
            message(request, Json.text(request, "body")), Json.number(request, "timeout_ms", 10_000));
        JsonObject answer = new JsonObject();
        answer.add("reply", Json.describe((MessageExt) reply));
        return answer;
    }

    /** All by callback and at once; what failed is told by the text of its exception. */
    JsonObject askMany(JsonObject request) throws Exception {
        JsonObject replies = new JsonObject();
        JsonObject failures = new JsonObject();
        long timeoutMs = Json.number(request, "timeout_ms", 10_000);
        CountDownLatch pending = new CountDownLatch(request.getAsJsonArray("bodies").size());
        for (JsonElement element : request.getAsJsonArray("bodies")) {
            String body = element.getAsString();
            sending.producer().request(message(request, body), new RequestCallback() {
                @Override
                public void onSuccess(Message reply) {
                    synchronized (replies) {
                        replies.add(body, Json.describe((MessageExt) reply));
                    }
                    pending.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    synchronized (replies) {
                        failures.addProperty(body, error.toString());
                    }
                    pending.countDown();
                }
            }, timeoutMs);
        }
        if (!pending.await(timeoutMs + 5000, TimeUnit.MILLISECONDS)) {
            throw new IllegalStateException(pending.getCount() + " requests ended in no way at all");
        }
        JsonObject answer = new JsonObject();
        answer.add("replies", replies);
        answer.add("failures", failures);
        return answer;
    }

    private static Message message(JsonObject request, String body) {
        return new Message(Json.text(request, "topic"), body.getBytes(StandardCharsets.UTF_8));
    }
}
