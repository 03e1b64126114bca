import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.HashMap;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageRequestMode;
import org.apache.rocketmq.remoting.protocol.subscription.GroupRetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Where the client's version 5 differs from 4.9. */
final class Dialect {
    private Dialect() {
    }

    static void schedule(Message message, JsonObject item) {
        if (item.has("delay_ms")) {
            message.setDelayTimeMs(item.get("delay_ms").getAsLong());
        }
        if (item.has("delay_sec")) {
            message.setDelayTimeSec(item.get("delay_sec").getAsLong());
        }
        if (item.has("deliver_ms")) {
            message.setDeliverTimeMs(item.get("deliver_ms").getAsLong());
        }
    }

    static String recallHandle(SendResult result) {
        return result.getRecallHandle();
    }

    static String recall(DefaultMQProducer producer, String topic, String handle) throws Exception {
        return producer.recallMessage(topic, handle);
    }

    /** Leaves the sharing of queues to the broker, which then says who pops. */
    static void pop(DefaultMQPushConsumer consumer, long invisibleMs) {
        consumer.setClientRebalance(false);
        consumer.setPopInvisibleTime(invisibleMs);
    }

    static void requestMode(DefaultMQAdminExt admin, String broker, JsonObject request) throws Exception {
        admin.setMessageRequestMode(broker, Json.text(request, "topic"), Json.text(request, "group"),
            MessageRequestMode.valueOf(Json.text(request, "mode", "POP")), (int) Json.number(request, "share", 0), 5000);
    }

    static void updateGroup(DefaultMQAdminExt admin, String broker, JsonObject request) throws Exception {
        SubscriptionGroupConfig group = new SubscriptionGroupConfig();
        group.setGroupName(Json.text(request, "group"));
        group.setRetryMaxTimes((int) Json.number(request, "retry_max", 16));
        group.setConsumeMessageOrderly(Json.flag(request, "orderly"));
        if (request.has("retry_policy")) {
            group.setGroupRetryPolicy(Json.GSON.fromJson(request.get("retry_policy"), GroupRetryPolicy.class));
        }
        admin.createAndUpdateSubscriptionGroupConfig(broker, group);
    }

    static void updateTopic(DefaultMQAdminExt admin, String broker, JsonObject request) throws Exception {
        int queues = (int) Json.number(request, "queues", 4);
        TopicConfig topic = new TopicConfig(Json.text(request, "topic"), queues, queues);
        topic.setOrder(Json.flag(request, "order"));
        Map<String, String> attributes = new HashMap<>();
        if (request.has("attributes")) {
            for (Map.Entry<String, JsonElement> entry : request.getAsJsonObject("attributes").entrySet()) {
                attributes.put(entry.getKey(), entry.getValue().getAsString());
            }
        }
        topic.setAttributes(attributes);
        admin.createAndUpdateTopicConfig(broker, topic);
    }
}
