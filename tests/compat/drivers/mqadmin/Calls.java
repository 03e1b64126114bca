import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.serializer.SerializerFeature;
import com.google.gson.JsonObject;
import java.util.Collections;
import java.util.concurrent.Callable;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * The calls of Apache's admin library that its dashboard and its exporter make. Neither is on Maven Central, but all
 * they do goes through this library.
 */
final class Calls {
    private final JsonObject answers;
    private final DefaultMQAdminExt admin;

    private Calls(DefaultMQAdminExt admin, JsonObject answers) {
        this.admin = admin;
        this.answers = answers;
    }

    static void make(JsonObject request, JsonObject answers) throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt(10_000);
        admin.setNamesrvAddr(request.get("name_server").getAsString());
        admin.setInstanceName("calls");
        admin.setUnitName(request.get("unit").getAsString());
        admin.start();
        try {
            new Calls(admin, answers).all(request);
        } finally {
            admin.shutdown();
        }
    }

    private void all(JsonObject request) {
        String broker = request.get("broker").getAsString();
        String cluster = request.get("cluster").getAsString();
        String topic = request.get("topic").getAsString();
        String group = request.get("group").getAsString();
        String client = request.get("client").getAsString();
        String id = request.get("message_id").getAsString();
        String key = topic + "@" + group;
        // The exporter's.
        call("stats BROKER_PUT_NUMS", () -> admin.viewBrokerStatsData(broker, "BROKER_PUT_NUMS", cluster));
        call("stats BROKER_GET_NUMS", () -> admin.viewBrokerStatsData(broker, "BROKER_GET_NUMS", cluster));
        call("stats TOPIC_PUT_NUMS", () -> admin.viewBrokerStatsData(broker, "TOPIC_PUT_NUMS", topic));
        call("stats TOPIC_PUT_SIZE", () -> admin.viewBrokerStatsData(broker, "TOPIC_PUT_SIZE", topic));
        call("stats GROUP_GET_NUMS", () -> admin.viewBrokerStatsData(broker, "GROUP_GET_NUMS", key));
        call("stats GROUP_GET_SIZE", () -> admin.viewBrokerStatsData(broker, "GROUP_GET_SIZE", key));
        call("stats SNDBCK_PUT_NUMS", () -> admin.viewBrokerStatsData(broker, "SNDBCK_PUT_NUMS", key));
        call("stats of nothing", () -> admin.viewBrokerStatsData(broker, "TOPIC_PUT_NUMS", "nothing"));
        call("examineTopicStats", () -> admin.examineTopicStats(topic));
        call("examineTopicStats of a broker", () -> admin.examineTopicStats(broker, topic));
        call("examineConsumeStats", () -> admin.examineConsumeStats(group, topic));
        call("examineConsumeStats of a broker",
            () -> admin.examineConsumeStats(broker, group, topic, 10_000));
        call("getAllProducerInfo", () -> admin.getAllProducerInfo(broker).getData().keySet());
        call("fetchBrokerRuntimeStats",
            () -> admin.fetchBrokerRuntimeStats(broker).getTable().containsKey("putTps"));
        // The dashboard's.
        call("getUserTopicConfig",
            () -> admin.getUserTopicConfig(broker, false, 10_000).getTopicConfigTable());
        call("getUserSubscriptionGroup",
            () -> admin.getUserSubscriptionGroup(broker, 10_000).getSubscriptionGroupTable());
        call("getAllTopicConfig", () -> admin.getAllTopicConfig(broker, 10_000).getTopicConfigTable().get(topic));
        call("getAllSubscriptionGroup",
            () -> admin.getAllSubscriptionGroup(broker, 10_000).getSubscriptionGroupTable().get(group));
        call("examineTopicConfig", () -> admin.examineTopicConfig(broker, topic));
        call("examineTopicConfig of nothing", () -> admin.examineTopicConfig(broker, "nothing"));
        call("examineSubscriptionGroupConfig", () -> admin.examineSubscriptionGroupConfig(broker, group));
        call("examineConsumerConnectionInfo",
            () -> admin.examineConsumerConnectionInfo(group).getSubscriptionTable());
        call("queryTopicsByConsumer", () -> admin.queryTopicsByConsumer(group).getTopicList());
        call("querySubscription", () -> admin.querySubscription(group, topic));
        call("queryConsumeTimeSpan", () -> admin.queryConsumeTimeSpan(topic, group));
        call("getConsumeStatus", () -> admin.getConsumeStatus(topic, group, client));
        call("messageTrackDetail", () -> {
            MessageExt message = admin.viewMessage(topic, id);
            return admin.messageTrackDetail(message);
        });
        call("consumeMessageDirectly",
            () -> admin.consumeMessageDirectly(group, client, topic, id).getConsumeResult());
        call("fetchTopicsByCLuster",
            () -> admin.fetchTopicsByCLuster(cluster).getTopicList().contains(topic));
        call("getKVListByNamespace of nothing", () -> admin.getKVListByNamespace("nothing"));
        call("getTopicClusterList", () -> admin.getTopicClusterList(topic));
        call("getClusterList", () -> admin.getClusterList(topic));
        call("searchOffset", () -> admin.searchOffset(broker, topic, 0, 0, 10_000));
        call("searchOffset of now",
            () -> admin.searchOffset(broker, topic, 0, System.currentTimeMillis(), 10_000));
        call("updateAndGetGroupReadForbidden",
            () -> admin.updateAndGetGroupReadForbidden(broker, group, topic, null));
        call("cloneGroupOffset", () -> {
            admin.cloneGroupOffset(group, "sweep_cloned", topic, true);
            return admin.examineConsumeStats(broker, "sweep_cloned", topic, 10_000).getOffsetTable();
        });
        call("getNameServerConfig", () -> admin.getNameServerConfig(Collections.emptyList()).size());
    }

    private void call(String name, Callable<Object> what) {
        String said;
        try {
            said = JSON.toJSONString(what.call(), SerializerFeature.PrettyFormat, SerializerFeature.MapSortField,
                SerializerFeature.DisableCircularReferenceDetect);
        } catch (MQBrokerException error) {
            said = "MQBrokerException " + error.getResponseCode();
        } catch (MQClientException error) {
            said = "MQClientException " + error.getResponseCode();
        } catch (Exception error) {
            said = error.getClass().getSimpleName();
        }
        answers.addProperty(name, said);
    }
}
