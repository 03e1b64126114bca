import com.google.gson.JsonObject;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;

/** Consumers that listen in the background until they are stopped. */
final class Consuming {
    private static final DateTimeFormatter SECOND = DateTimeFormatter.ofPattern("yyyyMMddHHmmss");

    private final String nameServer;
    private final Sending sending;
    private final BiConsumer<String, MessageExt> heard;
    private final Map<String, Runnable> stoppers = new ConcurrentHashMap<>();

    Consuming(String nameServer, Sending sending, BiConsumer<String, MessageExt> heard) {
        this.nameServer = nameServer;
        this.sending = sending;
        this.heard = heard;
    }

    JsonObject start(JsonObject request) throws Exception {
        return Json.text(request, "kind", "push").equals("lite") ? startLite(request) : startPush(request);
    }

    JsonObject stop(JsonObject request) {
        stoppers.remove(Json.text(request, "name")).run();
        return new JsonObject();
    }

    private JsonObject startPush(JsonObject request) throws Exception {
        String name = Json.text(request, "name");
        DefaultMQPushConsumer consumer =
            new DefaultMQPushConsumer(Json.text(request, "group"), Signing.hook(request),
                new AllocateMessageQueueAveragely(), Json.flag(request, "trace"), null);
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(Json.instanceName(name));
        consumer.setPollNameServerInterval(1000);
        consumer.setMqClientApiTimeout(30_000);
        // A client skips a heartbeat while it sends another, and the broker then knows an old subscription till the next.
        consumer.setHeartbeatBrokerInterval(2000);
        begin(consumer, request);
        if (Json.text(request, "model", "clustering").equals("broadcasting")) {
            consumer.setMessageModel(modelOf(consumer, "BROADCASTING"));
        }
        if (request.has("max_reconsume")) {
            consumer.setMaxReconsumeTimes(request.get("max_reconsume").getAsInt());
        }
        if (request.has("invisible_ms")) {
            Dialect.pop(consumer, request.get("invisible_ms").getAsLong());
        }
        consumer.subscribe(Json.text(request, "topic"), Json.selector(request));
        if (Json.text(request, "listener", "concurrent").equals("orderly")) {
            consumer.registerMessageListener(orderly(name, request));
        } else {
            consumer.registerMessageListener(concurrent(name, request));
        }
        consumer.start();
        stoppers.put(name, consumer::shutdown);
        return new JsonObject();
    }

    private static void begin(DefaultMQPushConsumer consumer, JsonObject request) {
        switch (Json.text(request, "from", "first")) {
            case "last":
                consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
                break;
            case "timestamp":
                Instant moment = Instant.ofEpochMilli(request.get("from_ms").getAsLong());
                consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_TIMESTAMP);
                consumer.setConsumeTimestamp(SECOND.format(moment.atZone(ZoneId.systemDefault())));
                break;
            default:
                consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        }
    }

    private MessageListenerConcurrently concurrent(String name, JsonObject request) {
        Refusals refusals = new Refusals(request);
        int delayLevel = (int) Json.number(request, "delay_level", 0);
        return (received, context) -> {
            boolean refused = false;
            for (MessageExt message : received) {
                refused |= hear(name, request, refusals, message);
            }
            context.setDelayLevelWhenNextConsume(delayLevel);
            return refused ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        };
    }

    private MessageListenerOrderly orderly(String name, JsonObject request) {
        Refusals refusals = new Refusals(request);
        long suspendMs = Json.number(request, "suspend_ms", -1);
        return (received, context) -> {
            boolean refused = false;
            for (MessageExt message : received) {
                refused |= hear(name, request, refusals, message);
            }
            context.setSuspendCurrentQueueTimeMillis(suspendMs);
            return refused ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        };
    }

    /** Report a delivery, do what was asked for, and say whether it is refused. */
    private boolean hear(String name, JsonObject request, Refusals refusals, MessageExt message) {
        heard.accept(name, message);
        try {
            Thread.sleep(Json.number(request, "pause_ms", 0));
            if (Json.flag(request, "stall")) {
                Thread.sleep(Long.MAX_VALUE);
            }
            if (Json.flag(request, "reply")) {
                byte[] answer = ("re: " + Json.body(message)).getBytes("UTF-8");
                sending.producer().send(MessageUtil.createReplyMessage(message, answer), 3000);
            }
        } catch (Exception error) {
            throw new IllegalStateException("the listener failed", error);
        }
        return refusals.refuse(Json.body(message));
    }

    /** The message model's enum moved between 4.9 and 5.x, so it is taken from the value the consumer already has. */
    @SuppressWarnings("unchecked")
    private static <T extends Enum<T>> T modelOf(DefaultMQPushConsumer consumer, String name) {
        return (T) Enum.valueOf((Class<T>) (Class<?>) consumer.getMessageModel().getDeclaringClass(), name);
    }

    private JsonObject startLite(JsonObject request) throws Exception {
        String name = Json.text(request, "name");
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(Json.text(request, "group"));
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(Json.instanceName(name));
        consumer.setPollNameServerInterval(1000);
        consumer.setMqClientApiTimeout(30_000);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(Json.text(request, "topic"), Json.selector(request));
        consumer.start();
        Thread poller = new Thread(() -> {
            while (!Thread.currentThread().isInterrupted() && consumer.isRunning()) {
                for (MessageExt message : consumer.poll(200)) {
                    heard.accept(name, message);
                }
            }
        }, "poll-" + name);
        poller.setDaemon(true);
        poller.start();
        stoppers.put(name, () -> {
            poller.interrupt();
            consumer.shutdown();
        });
        return new JsonObject();
    }

    void close() {
        stoppers.values().forEach(Runnable::run);
    }
}
