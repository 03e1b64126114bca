import com.google.gson.JsonObject;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Where the client's version 4.9 differs from 5. */
final class Dialect {
    private Dialect() {
    }

    static void schedule(Message message, JsonObject item) {
        if (item.has("delay_ms") || item.has("delay_sec") || item.has("deliver_ms")) {
            throw lacking("a delivery time of a message's own");
        }
    }

    static String recallHandle(SendResult result) {
        return null;
    }

    static String recall(DefaultMQProducer producer, String topic, String handle) {
        throw lacking("the recall of messages");
    }

    static void pop(DefaultMQPushConsumer consumer, long invisibleMs) {
        throw lacking("POP");
    }

    static void requestMode(DefaultMQAdminExt admin, String broker, JsonObject request) {
        throw lacking("POP");
    }

    static void updateGroup(DefaultMQAdminExt admin, String broker, JsonObject request) throws Exception {
        if (request.has("retry_policy") || request.has("orderly")) {
            throw lacking("a retry policy of a group");
        }
        SubscriptionGroupConfig group = new SubscriptionGroupConfig();
        group.setGroupName(Json.text(request, "group"));
        group.setRetryMaxTimes((int) Json.number(request, "retry_max", 16));
        admin.createAndUpdateSubscriptionGroupConfig(broker, group);
    }

    static void updateTopic(DefaultMQAdminExt admin, String broker, JsonObject request) throws Exception {
        if (request.has("attributes")) {
            throw lacking("attributes of a topic");
        }
        int queues = (int) Json.number(request, "queues", 4);
        TopicConfig topic = new TopicConfig(Json.text(request, "topic"), queues, queues, 6);
        topic.setOrder(Json.flag(request, "order"));
        admin.createAndUpdateTopicConfig(broker, topic);
    }

    private static UnsupportedOperationException lacking(String what) {
        return new UnsupportedOperationException("the client 4.9 has no means for " + what);
    }
}
