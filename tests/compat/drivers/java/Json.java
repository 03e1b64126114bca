import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** What passes through the pipe, to and from the client's own objects. */
final class Json {
    static final Gson GSON = new Gson();

    private Json() {
    }

    static String text(JsonObject object, String key, String missing) {
        return object.has(key) && !object.get(key).isJsonNull() ? object.get(key).getAsString() : missing;
    }

    static String text(JsonObject object, String key) {
        return text(object, key, "");
    }

    static long number(JsonObject object, String key, long missing) {
        return object.has(key) && !object.get(key).isJsonNull() ? object.get(key).getAsLong() : missing;
    }

    static boolean flag(JsonObject object, String key) {
        return object.has(key) && object.get(key).getAsBoolean();
    }

    static MessageSelector selector(JsonObject request) {
        return request.has("sql") ? MessageSelector.bySql(text(request, "sql"))
            : MessageSelector.byTag(text(request, "tags", "*"));
    }

    static List<Message> messagesOf(JsonObject request) {
        List<Message> messages = new ArrayList<>();
        for (JsonElement element : request.getAsJsonArray("messages")) {
            messages.add(message(text(request, "topic"), element.getAsJsonObject()));
        }
        return messages;
    }

    static Message message(String topic, JsonObject item) {
        Message message = new Message(topic, text(item, "tags"), text(item, "keys"),
            text(item, "body").getBytes(StandardCharsets.UTF_8));
        if (item.has("properties")) {
            for (Map.Entry<String, JsonElement> property : item.getAsJsonObject("properties").entrySet()) {
                message.putUserProperty(property.getKey(), property.getValue().getAsString());
            }
        }
        if (item.has("delay_level")) {
            message.setDelayTimeLevel(item.get("delay_level").getAsInt());
        }
        Dialect.schedule(message, item);
        return message;
    }

    static String body(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    static JsonObject describe(MessageExt message) {
        JsonObject described = new JsonObject();
        described.addProperty("topic", message.getTopic());
        described.addProperty("body", body(message));
        described.addProperty("tags", message.getTags());
        described.addProperty("keys", message.getKeys());
        described.addProperty("queue", message.getQueueId());
        described.addProperty("queue_offset", message.getQueueOffset());
        described.addProperty("message_id", message.getMsgId());
        described.addProperty("reconsume_times", message.getReconsumeTimes());
        described.addProperty("born_ms", message.getBornTimestamp());
        described.addProperty("stored_ms", message.getStoreTimestamp());
        described.addProperty("heard_ms", System.currentTimeMillis());
        described.addProperty("broker", message.getBrokerName());
        described.add("properties", GSON.toJsonTree(message.getProperties()));
        return described;
    }

    static JsonObject messages(List<MessageExt> messages) {
        List<JsonObject> described = new ArrayList<>();
        for (MessageExt message : messages) {
            described.add(describe(message));
        }
        return list("messages", described);
    }

    static JsonObject list(String name, List<JsonObject> items) {
        JsonObject answer = new JsonObject();
        answer.add(name, GSON.toJsonTree(items));
        return answer;
    }

    static JsonObject sendResult(Message message, SendResult result) {
        JsonObject sent = new JsonObject();
        if (message != null) {
            sent.addProperty("body", body(message));
        }
        sent.addProperty("status", result.getSendStatus().name());
        sent.addProperty("message_id", result.getMsgId());
        sent.addProperty("offset_message_id", result.getOffsetMsgId());
        sent.addProperty("queue", result.getMessageQueue().getQueueId());
        sent.addProperty("broker", result.getMessageQueue().getBrokerName());
        sent.addProperty("queue_offset", result.getQueueOffset());
        sent.addProperty("recall_handle", Dialect.recallHandle(result));
        return sent;
    }

    /** Clients of one process that have the same instance name share their connections; these do not. */
    static String instanceName(String name) {
        return name + "_" + ProcessHandle.current().pid();
    }
}
