import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Producers, one for each group that is asked for, and what goes through them. */
final class Sending {
    private final String nameServer;
    private final Map<String, DefaultMQProducer> producers = new HashMap<>();

    Sending(String nameServer) {
        this.nameServer = nameServer;
    }

    DefaultMQProducer producer() throws Exception {
        return producer("interop_producer", false, new JsonObject());
    }

    private synchronized DefaultMQProducer producer(String group, boolean trace, JsonObject request)
        throws Exception {
        String key = group + (trace ? " traced" : "") + Signing.user(request);
        DefaultMQProducer producer = producers.get(key);
        if (producer == null) {
            producer = new DefaultMQProducer(group, Signing.hook(request), trace, null);
            producer.setNamesrvAddr(nameServer);
            producer.setInstanceName(Json.instanceName(key.replace(' ', '_')));
            producer.setPollNameServerInterval(1000);
            // The first send of a cold virtual machine on a busy computer takes longer than the usual 3 seconds.
            producer.setSendMsgTimeout(30_000);
            producer.setMqClientApiTimeout(30_000);
            producer.start();
            producers.put(key, producer);
        }
        return producer;
    }

    JsonObject send(JsonObject request) throws Exception {
        DefaultMQProducer producer =
            producer(Json.text(request, "group", "interop_producer"), Json.flag(request, "trace"), request);
        List<JsonObject> sent = new ArrayList<>();
        List<Message> messages = Json.messagesOf(request);
        String mode = Json.text(request, "mode", "sync");
        if (mode.equals("batch")) {
            sent.add(Json.sendResult(null, producer.send(messages)));
        } else if (mode.equals("async")) {
            sendAsync(producer, messages, sent);
        } else {
            JsonArray items = request.getAsJsonArray("messages");
            for (int i = 0; i < messages.size(); i++) {
                JsonObject outcome = sendOne(producer, messages.get(i), items.get(i).getAsJsonObject(), mode);
                if (outcome != null) {
                    sent.add(outcome);
                }
            }
        }
        return Json.list("sent", sent);
    }

    private static JsonObject sendOne(DefaultMQProducer producer, Message message, JsonObject item, String mode)
        throws Exception {
        if (mode.equals("oneway")) {
            producer.sendOneway(message);
            return null;
        }
        if (item.has("shard")) {
            int hash = Json.text(item, "shard").hashCode();
            return Json.sendResult(message, producer.send(message,
                (queues, chosen, ignored) -> queues.get(Math.floorMod(hash, queues.size())), null));
        }
        return Json.sendResult(message, producer.send(message));
    }

    private static void sendAsync(DefaultMQProducer producer, List<Message> messages, List<JsonObject> sent)
        throws Exception {
        CountDownLatch pending = new CountDownLatch(messages.size());
        List<Throwable> failures = new ArrayList<>();
        for (Message message : messages) {
            producer.send(message, new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    synchronized (sent) {
                        sent.add(Json.sendResult(message, result));
                    }
                    pending.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    synchronized (failures) {
                        failures.add(error);
                    }
                    pending.countDown();
                }
            });
        }
        if (!pending.await(15, TimeUnit.SECONDS)) {
            throw new IllegalStateException(pending.getCount() + " asynchronous sends were not answered");
        }
        if (!failures.isEmpty()) {
            throw new IllegalStateException(failures.size() + " asynchronous sends failed", failures.get(0));
        }
    }

    JsonObject recall(JsonObject request) throws Exception {
        JsonObject answer = new JsonObject();
        answer.addProperty("message_id",
            Dialect.recall(producer(), Json.text(request, "topic"), Json.text(request, "handle")));
        return answer;
    }

    JsonObject queryKey(JsonObject request) throws Exception {
        return Json.messages(producer().queryMessage(
            Json.text(request, "topic"), Json.text(request, "key"), 64, 0, Long.MAX_VALUE).getMessageList());
    }

    JsonObject queryId(JsonObject request) throws Exception {
        List<MessageExt> one = new ArrayList<>();
        one.add(producer().viewMessage(Json.text(request, "topic"), Json.text(request, "message_id")));
        return Json.messages(one);
    }

    void close() {
        producers.values().forEach(DefaultMQProducer::shutdown);
    }
}
