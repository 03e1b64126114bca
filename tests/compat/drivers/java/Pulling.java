import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.impl.factory.MQClientInstance;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumers that read when they are told to. */
final class Pulling {
    private final String nameServer;
    @SuppressWarnings("deprecation")
    private final Map<String, DefaultMQPullConsumer> pullers = new HashMap<>();

    Pulling(String nameServer) {
        this.nameServer = nameServer;
    }

    /** Reads a topic from its beginning with queues assigned by hand. */
    JsonObject liteAssign(JsonObject request) throws Exception {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(Json.text(request, "group"));
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(Json.instanceName("assign"));
        consumer.setMqClientApiTimeout(30_000);
        consumer.setAutoCommit(false);
        consumer.start();
        try {
            Collection<MessageQueue> queues = consumer.fetchMessageQueues(Json.text(request, "topic"));
            consumer.assign(queues);
            for (MessageQueue queue : queues) {
                consumer.seekToBegin(queue);
            }
            List<MessageExt> read = new ArrayList<>();
            int wanted = request.get("count").getAsInt();
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (read.size() < wanted && System.nanoTime() < deadline) {
                read.addAll(consumer.poll(500));
            }
            read.addAll(consumer.poll(500));
            consumer.commitSync();
            return Json.messages(read);
        } finally {
            consumer.shutdown();
        }
    }

    JsonObject pull(JsonObject request) throws Exception {
        String topic = Json.text(request, "topic");
        DefaultMQPullConsumer consumer = puller(Json.text(request, "group"), topic);
        List<MessageExt> read = new ArrayList<>();
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(topic)) {
            long offset = consumer.minOffset(queue);
            long end = consumer.maxOffset(queue);
            while (offset < end) {
                PullResult result = consumer.pull(queue, Json.selector(request), offset, 32);
                if (result.getPullStatus() == PullStatus.FOUND) {
                    read.addAll(result.getMsgFoundList());
                }
                offset = result.getNextBeginOffset();
            }
        }
        return Json.messages(read);
    }

    @SuppressWarnings("deprecation")
    private DefaultMQPullConsumer puller(String group, String topic) throws Exception {
        DefaultMQPullConsumer consumer = pullers.get(group);
        if (consumer == null) {
            consumer = new DefaultMQPullConsumer(group);
            consumer.setNamesrvAddr(nameServer);
            consumer.setInstanceName(Json.instanceName("pull_" + group.hashCode()));
            consumer.setMqClientApiTimeout(30_000);
            consumer.start();
            // The client lets SQL92 through once it knows the broker's version, which heartbeats tell.
            MQClientInstance client = consumer.getDefaultMQPullConsumerImpl().getRebalanceImpl().getmQClientFactory();
            client.updateTopicRouteInfoFromNameServer(topic);
            client.sendHeartbeatToAllBrokerWithLock();
            pullers.put(group, consumer);
        }
        return consumer;
    }

    @SuppressWarnings("deprecation")
    void close() {
        pullers.values().forEach(DefaultMQPullConsumer::shutdown);
    }
}
