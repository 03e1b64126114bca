import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.AckResult;
import org.apache.rocketmq.client.consumer.PopResult;
import org.apache.rocketmq.client.impl.ClientRemotingProcessor;
import org.apache.rocketmq.client.impl.mqclient.MQClientAPIExt;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.protocol.header.AckMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ChangeInvisibleTimeRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ExtraInfoUtil;
import org.apache.rocketmq.remoting.protocol.header.NotificationRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.PopMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.route.BrokerData;

/**
 * Single pops, acks and changes of invisibility, through the part of the client that Apache's proxy pops with.
 *
 * <p>The push consumer pops too, but never in order: for an orderly listener it pulls.
 */
final class Popping {
    private static final long TIMEOUT_MS = 30_000;
    private static final int FROM_FIRST = 0;

    private final String nameServer;
    private MQClientAPIExt api;

    Popping(String nameServer) {
        this.nameServer = nameServer;
    }

    JsonObject pop(JsonObject request) throws Exception {
        BrokerData broker = brokerOf(Json.text(request, "topic"));
        PopMessageRequestHeader header = new PopMessageRequestHeader();
        header.setConsumerGroup(Json.text(request, "group"));
        header.setTopic(Json.text(request, "topic"));
        header.setQueueId((int) Json.number(request, "queue", -1));
        header.setMaxMsgNums((int) Json.number(request, "count", 1));
        header.setInvisibleTime(Json.number(request, "invisible_ms", 60_000));
        header.setPollTime(Json.number(request, "wait_ms", 0));
        header.setBornTime(System.currentTimeMillis());
        header.setInitMode(FROM_FIRST);
        header.setExpType("TAG");
        header.setExp("*");
        header.setOrder(Json.flag(request, "order"));
        PopResult result =
            api().popMessageAsync(broker.selectBrokerAddr(), broker.getBrokerName(), header, TIMEOUT_MS).get();
        List<MessageExt> found = result.getMsgFoundList();
        JsonObject answer = Json.messages(found == null ? new ArrayList<>() : found);
        answer.addProperty("status", result.getPopStatus().name());
        return answer;
    }

    /** Acknowledge a popped message, or give it another time until it is seen again. */
    JsonObject end(JsonObject request) throws Exception {
        String topic = Json.text(request, "topic");
        String handle = Json.text(request, "handle");
        String[] parts = ExtraInfoUtil.split(handle);
        BrokerData broker = brokerOf(topic);
        AckResult result;
        if (request.has("invisible_ms")) {
            ChangeInvisibleTimeRequestHeader header = new ChangeInvisibleTimeRequestHeader();
            header.setConsumerGroup(Json.text(request, "group"));
            header.setTopic(topic);
            header.setQueueId(ExtraInfoUtil.getQueueId(parts));
            header.setOffset(ExtraInfoUtil.getQueueOffset(parts));
            header.setExtraInfo(handle);
            header.setInvisibleTime(request.get("invisible_ms").getAsLong());
            result = api().changeInvisibleTimeAsync(
                broker.selectBrokerAddr(), broker.getBrokerName(), header, TIMEOUT_MS).get();
        } else {
            AckMessageRequestHeader header = new AckMessageRequestHeader();
            header.setConsumerGroup(Json.text(request, "group"));
            header.setTopic(topic);
            header.setQueueId(ExtraInfoUtil.getQueueId(parts));
            header.setOffset(ExtraInfoUtil.getQueueOffset(parts));
            header.setExtraInfo(handle);
            result = api().ackMessageAsync(broker.selectBrokerAddr(), header, TIMEOUT_MS).get();
        }
        JsonObject answer = new JsonObject();
        answer.addProperty("status", result.getStatus().name());
        answer.addProperty("handle", result.getExtraInfo());
        return answer;
    }

    /** Acknowledge many popped messages in one request. */
    JsonObject endAll(JsonObject request) throws Exception {
        List<String> handles = new ArrayList<>();
        request.getAsJsonArray("handles").forEach(handle -> handles.add(handle.getAsString()));
        String topic = Json.text(request, "topic");
        AckResult result = api().batchAckMessageAsync(
            brokerOf(topic).selectBrokerAddr(), topic, Json.text(request, "group"), handles, TIMEOUT_MS).get();
        JsonObject answer = new JsonObject();
        answer.addProperty("status", result.getStatus().name());
        return answer;
    }

    /** Whether there is something to pop, at once or before the time to wait is over. */
    JsonObject notice(JsonObject request) throws Exception {
        NotificationRequestHeader header = new NotificationRequestHeader();
        header.setConsumerGroup(Json.text(request, "group"));
        header.setTopic(Json.text(request, "topic"));
        header.setQueueId(-1);
        header.setPollTime(Json.number(request, "wait_ms", 0));
        header.setBornTime(System.currentTimeMillis());
        JsonObject answer = new JsonObject();
        answer.addProperty("has_messages", api().notification(
            brokerOf(Json.text(request, "topic")).selectBrokerAddr(), header, TIMEOUT_MS).get());
        return answer;
    }

    private BrokerData brokerOf(String topic) throws Exception {
        return api().getTopicRouteInfoFromNameServer(topic, TIMEOUT_MS).getBrokerDatas().get(0);
    }

    private MQClientAPIExt api() {
        if (api == null) {
            ClientConfig config = new ClientConfig();
            config.setNamesrvAddr(nameServer);
            api = new MQClientAPIExt(config, new NettyClientConfig(), new ClientRemotingProcessor(null), null);
            api.updateNameServerAddressList();
            api.start();
        }
        return api;
    }

    void close() {
        if (api != null) {
            api.shutdown();
        }
    }
}
