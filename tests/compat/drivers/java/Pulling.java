import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumers that read once and are gone when the answer is. */
final class Pulling {
    private final String nameServer;

    Pulling(String nameServer) {
        this.nameServer = nameServer;
    }

    /** Reads a topic from its beginning with queues assigned by hand. */
    JsonObject liteAssign(JsonObject request) throws Exception {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(Json.text(request, "group"));
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(Json.instanceName("assign"));
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

    @SuppressWarnings("deprecation")
    JsonObject pull(JsonObject request) throws Exception {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(Json.text(request, "group"));
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(Json.instanceName("pull"));
        consumer.start();
        try {
            List<MessageExt> read = new ArrayList<>();
            Set<MessageQueue> queues = new HashSet<>(consumer.fetchSubscribeMessageQueues(Json.text(request, "topic")));
            // The client lets SQL92 through once it knows the broker's version, which heartbeats tell.
            consumer.getDefaultMQPullConsumerImpl().getRebalanceImpl().getmQClientFactory()
                .sendHeartbeatToAllBrokerWithLock();
            for (MessageQueue queue : queues) {
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
        } finally {
            consumer.shutdown();
        }
    }
}
