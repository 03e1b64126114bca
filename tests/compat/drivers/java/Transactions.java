import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import org.apache.rocketmq.client.impl.factory.MQClientInstance;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Producers of transactions, and what they answer when the broker asks how one ended. */
final class Transactions {
    private final String nameServer;
    private final BiConsumer<String, MessageExt> heard;
    private final Map<String, TransactionMQProducer> producers = new ConcurrentHashMap<>();

    Transactions(String nameServer, BiConsumer<String, MessageExt> heard) {
        this.nameServer = nameServer;
        this.heard = heard;
    }

    JsonObject start(JsonObject request) throws Exception {
        String name = Json.text(request, "name");
        TransactionMQProducer producer = new TransactionMQProducer(Json.text(request, "group"));
        producer.setNamesrvAddr(nameServer);
        producer.setInstanceName(Json.instanceName(name));
        producer.setPollNameServerInterval(1000);
        producer.setSendMsgTimeout(30_000);
        producer.setMqClientApiTimeout(30_000);
        // After a restart a broker asks nobody before it has heard a heartbeat.
        producer.setHeartbeatBrokerInterval(2000);
        producer.setTransactionListener(new Listener(name, request));
        producer.start();
        // Of a producer that sends nothing a broker knows by its heartbeats, which go to brokers of known topics.
        MQClientInstance client = producer.getDefaultMQProducerImpl().getMqClientFactory();
        client.updateTopicRouteInfoFromNameServer(Json.text(request, "topic"));
        client.sendHeartbeatToAllBrokerWithLock();
        producers.put(name, producer);
        return new JsonObject();
    }

    JsonObject transact(JsonObject request) throws Exception {
        TransactionMQProducer producer = producers.get(Json.text(request, "name"));
        List<JsonObject> sent = new ArrayList<>();
        for (JsonElement element : request.getAsJsonArray("messages")) {
            JsonObject item = element.getAsJsonObject();
            Message message = Json.message(Json.text(request, "topic"), item);
            TransactionSendResult result =
                producer.sendMessageInTransaction(message, state(Json.text(item, "local", "commit")));
            JsonObject outcome = Json.sendResult(message, result);
            outcome.addProperty("state", result.getLocalTransactionState().name());
            sent.add(outcome);
        }
        return Json.list("sent", sent);
    }

    JsonObject stop(JsonObject request) {
        producers.remove(Json.text(request, "name")).shutdown();
        return new JsonObject();
    }

    void close() {
        producers.values().forEach(TransactionMQProducer::shutdown);
    }

    private static LocalTransactionState state(String word) {
        switch (word) {
            case "commit":
                return LocalTransactionState.COMMIT_MESSAGE;
            case "rollback":
                return LocalTransactionState.ROLLBACK_MESSAGE;
            default:
                return LocalTransactionState.UNKNOW;
        }
    }

    /** Answers as it was told, one answer of a message's list after the other. */
    private final class Listener implements TransactionListener {
        private final String name;
        private final JsonObject checks;

        Listener(String name, JsonObject request) {
            this.name = name;
            this.checks = request.has("checks") ? request.getAsJsonObject("checks") : new JsonObject();
        }

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object state) {
            return (LocalTransactionState) state;
        }

        @Override
        public synchronized LocalTransactionState checkLocalTransaction(MessageExt message) {
            heard.accept(name, message);
            JsonArray answers = checks.getAsJsonArray(Json.body(message));
            if (answers == null) {
                return LocalTransactionState.UNKNOW;
            }
            String answer = answers.get(0).getAsString();
            if (answers.size() > 1) {
                answers.remove(0);
            }
            return state(answer);
        }
    }
}
