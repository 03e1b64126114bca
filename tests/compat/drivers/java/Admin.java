import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.commons.cli.Options;
import org.apache.commons.cli.PosixParser;
import org.apache.rocketmq.client.trace.TraceView;
import org.apache.rocketmq.common.MixAll;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.admin.api.MessageTrack;
import org.apache.rocketmq.tools.command.SubCommand;
import org.apache.rocketmq.tools.command.offset.ResetOffsetByTimeCommand;

/** What an operator does with the official tools, and what an application asks about its messages. */
final class Admin {
    private static final String TRACE_TOPIC = "RMQ_SYS_TRACE_TOPIC";

    private final String nameServer;
    private DefaultMQAdminExt admin;

    Admin(String nameServer) {
        this.nameServer = nameServer;
    }

    JsonObject perform(JsonObject request) throws Exception {
        switch (Json.text(request, "do")) {
            case "reset_offsets":
                return reset(request);
            case "mqadmin_reset":
                return resetByCommand(request);
            case "clone_offsets":
                admin().cloneGroupOffset(
                    Json.text(request, "from"), Json.text(request, "group"), Json.text(request, "topic"), false);
                return new JsonObject();
            case "update_group":
                Dialect.updateGroup(admin(), Json.text(request, "broker"), request);
                return new JsonObject();
            case "update_topic":
                Dialect.updateTopic(admin(), Json.text(request, "broker"), request);
                return new JsonObject();
            case "request_mode":
                Dialect.requestMode(admin(), Json.text(request, "broker"), request);
                return new JsonObject();
            case "trace":
                return trace(request);
            case "track":
                return track(request);
            case "running":
                return running(request);
            case "consume_directly":
                return consumeDirectly(request);
            default:
                throw new IllegalArgumentException("unknown request " + request);
        }
    }

    private DefaultMQAdminExt admin() throws Exception {
        if (admin == null) {
            admin = new DefaultMQAdminExt(30_000);
            admin.setNamesrvAddr(nameServer);
            admin.setInstanceName(Json.instanceName("admin"));
            admin.start();
        }
        return admin;
    }

    /** Both ways an operator has: through the broker for live consumers, by the queue for absent ones. */
    private JsonObject reset(JsonObject request) throws Exception {
        String topic = Json.text(request, "topic");
        String group = Json.text(request, "group");
        long moment = Json.number(request, "to_ms", 0);
        JsonObject offsets = new JsonObject();
        if (Json.flag(request, "offline")) {
            for (var found : admin().resetOffsetByTimestampOld(group, topic, moment, true)) {
                offsets.addProperty(String.valueOf(found.getQueueId()), found.getRollbackOffset());
            }
        } else {
            Map<MessageQueue, Long> found = admin().resetOffsetByTimestamp(topic, group, moment, true);
            found.forEach((queue, offset) -> offsets.addProperty(String.valueOf(queue.getQueueId()), offset));
        }
        JsonObject answer = new JsonObject();
        answer.add("offsets", offsets);
        return answer;
    }

    /** The command of mqadmin, which sees for itself whether the group is online. */
    private JsonObject resetByCommand(JsonObject request) throws Exception {
        System.setProperty(MixAll.NAMESRV_ADDR_PROPERTY, nameServer);
        SubCommand command = new ResetOffsetByTimeCommand();
        String[] words = {"-g", Json.text(request, "group"), "-t", Json.text(request, "topic"),
            "-s", String.valueOf(Json.number(request, "to_ms", 0)), "-f", "true"};
        command.execute(
            new PosixParser().parse(command.buildCommandlineOptions(new Options()), words), new Options(), null);
        return new JsonObject();
    }

    private JsonObject trace(JsonObject request) throws Exception {
        String id = Json.text(request, "message_id");
        List<JsonObject> life = new ArrayList<>();
        for (MessageExt stored : admin().queryMessage(TRACE_TOPIC, id, 64, 0, Long.MAX_VALUE).getMessageList()) {
            for (TraceView view : TraceView.decodeFromTraceTransData(id, stored)) {
                JsonObject point = new JsonObject();
                point.addProperty("kind", view.getMsgType());
                point.addProperty("status", view.getStatus());
                point.addProperty("topic", view.getTopic());
                point.addProperty("group", view.getGroupName());
                point.addProperty("keys", view.getKeys());
                point.addProperty("at_ms", view.getTimeStamp());
                life.add(point);
            }
        }
        return Json.list("life", life);
    }

    /** Which groups have consumed a message, as far as their offsets tell. */
    private JsonObject track(JsonObject request) throws Exception {
        MessageExt message = admin().viewMessage(Json.text(request, "topic"), Json.text(request, "message_id"));
        JsonObject groups = new JsonObject();
        for (MessageTrack track : admin().messageTrackDetail(message)) {
            groups.addProperty(track.getConsumerGroup(), String.valueOf(track.getTrackType()));
        }
        JsonObject answer = new JsonObject();
        answer.add("groups", groups);
        return answer;
    }

    /** What the consumers of a group say of themselves when the broker asks them. */
    private JsonObject running(JsonObject request) throws Exception {
        String group = Json.text(request, "group");
        JsonObject consumers = new JsonObject();
        for (var connection : admin().examineConsumerConnectionInfo(group).getConnectionSet()) {
            var told = admin().getConsumerRunningInfo(group, connection.getClientId(), false);
            List<String> subscriptions = new ArrayList<>();
            told.getSubscriptionSet().forEach(each -> subscriptions.add(each.getTopic()));
            JsonObject consumer = new JsonObject();
            consumer.addProperty("queues", told.getMqTable().size());
            consumer.add("topics", Json.GSON.toJsonTree(subscriptions));
            consumers.add(connection.getClientId(), consumer);
        }
        JsonObject answer = new JsonObject();
        answer.add("consumers", consumers);
        return answer;
    }

    /** Have one consumer consume one message once more, out of turn. */
    private JsonObject consumeDirectly(JsonObject request) throws Exception {
        var result = admin().consumeMessageDirectly(Json.text(request, "group"), Json.text(request, "client"),
            Json.text(request, "topic"), Json.text(request, "message_id"));
        JsonObject answer = new JsonObject();
        answer.addProperty("result", String.valueOf(result.getConsumeResult()));
        return answer;
    }

    void close() {
        if (admin != null) {
            admin.shutdown();
        }
    }
}
