import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Works the official Java client on behalf of the interop tests: one JSON request a line on standard input, one JSON
 * answer a line on standard output, and an event line for each message a consumer receives.
 */
public final class Driver {
    private static final Gson GSON = new Gson();

    private final String nameServer;
    private final PrintStream out;
    private final Map<String, Runnable> stoppers = new HashMap<>();
    private DefaultMQProducer producer;

    private Driver(String nameServer, PrintStream out) {
        this.nameServer = nameServer;
        this.out = out;
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        System.setOut(System.err);
        Driver driver = new Driver(args[0], out);
        driver.print(event("ready", new JsonObject()));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            driver.answer(JsonParser.parseString(line).getAsJsonObject());
        }
        driver.close();
        System.exit(0);
    }

    private void answer(JsonObject request) {
        JsonObject answer;
        try {
            answer = perform(request);
        } catch (Throwable error) {
            StringWriter trace = new StringWriter();
            error.printStackTrace(new PrintWriter(trace));
            answer = new JsonObject();
            answer.addProperty("error", trace.toString());
        }
        answer.add("id", request.get("id"));
        print(answer);
    }

    private JsonObject perform(JsonObject request) throws Exception {
        switch (request.get("do").getAsString()) {
            case "send":
                return send(request);
            case "start_consumer":
                return text(request, "kind", "push").equals("lite") ? startLite(request) : startPush(request);
            case "stop_consumer":
                stoppers.remove(text(request, "name", "")).run();
                return new JsonObject();
            case "pull":
                return pull(request);
            case "lite_assign":
                return liteAssign(request);
            case "query_key":
                QueryResult found = producer().queryMessage(
                    text(request, "topic", ""), text(request, "key", ""), 64, 0, Long.MAX_VALUE);
                return messages(found.getMessageList());
            case "query_id":
                List<MessageExt> one = new ArrayList<>();
                one.add(producer().viewMessage(text(request, "topic", ""), text(request, "message_id", "")));
                return messages(one);
            default:
                throw new IllegalArgumentException("unknown request " + request);
        }
    }

    private DefaultMQProducer producer() throws Exception {
        if (producer == null) {
            producer = new DefaultMQProducer("interop_producer");
            producer.setNamesrvAddr(nameServer);
            producer.setPollNameServerInterval(1000);
            producer.start();
        }
        return producer;
    }

    private JsonObject send(JsonObject request) throws Exception {
        List<JsonObject> sent = new ArrayList<>();
        List<Message> messages = new ArrayList<>();
        for (JsonElement element : request.getAsJsonArray("messages")) {
            JsonObject item = element.getAsJsonObject();
            messages.add(new Message(text(request, "topic", ""), text(item, "tags", ""), text(item, "keys", ""),
                text(item, "body", "").getBytes(StandardCharsets.UTF_8)));
        }
        String mode = text(request, "mode", "sync");
        if (mode.equals("batch")) {
            sent.add(sendResult(null, producer().send(messages)));
        } else if (mode.equals("async")) {
            sendAsync(messages, sent);
        } else {
            for (Message message : messages) {
                if (mode.equals("oneway")) {
                    producer().sendOneway(message);
                } else {
                    sent.add(sendResult(message, producer().send(message)));
                }
            }
        }
        JsonObject answer = new JsonObject();
        answer.add("sent", GSON.toJsonTree(sent));
        return answer;
    }

    private void sendAsync(List<Message> messages, List<JsonObject> sent) throws Exception {
        CountDownLatch pending = new CountDownLatch(messages.size());
        List<Throwable> failures = new ArrayList<>();
        for (Message message : messages) {
            producer().send(message, new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    synchronized (sent) {
                        sent.add(sendResult(message, result));
                    }
                    pending.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    synchronized (failures) {
                        failures.add(error);
                    }
                    pending.countDown();
                }
            });
        }
        if (!pending.await(15, TimeUnit.SECONDS)) {
            throw new IllegalStateException(pending.getCount() + " asynchronous sends were not answered");
        }
        if (!failures.isEmpty()) {
            throw new IllegalStateException(failures.size() + " asynchronous sends failed", failures.get(0));
        }
    }

    private JsonObject startPush(JsonObject request) throws Exception {
        String name = text(request, "name", "");
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(text(request, "group", ""));
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(instanceName(name));
        consumer.setPollNameServerInterval(1000);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        if (text(request, "model", "clustering").equals("broadcasting")) {
            consumer.setMessageModel(modelOf(consumer, "BROADCASTING"));
        }
        consumer.subscribe(text(request, "topic", ""), text(request, "tags", "*"));
        consumer.registerMessageListener((MessageListenerConcurrently) (received, context) -> {
            for (MessageExt message : received) {
                received(name, message);
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        stoppers.put(name, consumer::shutdown);
        return new JsonObject();
    }

    /** The message model's enum moved between 4.9 and 5.x, so it is taken from the value the consumer already has. */
    @SuppressWarnings("unchecked")
    private static <T extends Enum<T>> T modelOf(DefaultMQPushConsumer consumer, String name) {
        return (T) Enum.valueOf((Class<T>) (Class<?>) consumer.getMessageModel().getDeclaringClass(), name);
    }

    private JsonObject startLite(JsonObject request) throws Exception {
        String name = text(request, "name", "");
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(text(request, "group", ""));
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(instanceName(name));
        consumer.setPollNameServerInterval(1000);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(text(request, "topic", ""), text(request, "tags", "*"));
        consumer.start();
        Thread poller = new Thread(() -> {
            while (!Thread.currentThread().isInterrupted() && consumer.isRunning()) {
                for (MessageExt message : consumer.poll(200)) {
                    received(name, message);
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

    /** Reads a topic from its beginning with queues assigned by hand. */
    private JsonObject liteAssign(JsonObject request) throws Exception {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(text(request, "group", ""));
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(instanceName("assign"));
        consumer.setAutoCommit(false);
        consumer.start();
        try {
            Collection<MessageQueue> queues = consumer.fetchMessageQueues(text(request, "topic", ""));
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
            return messages(read);
        } finally {
            consumer.shutdown();
        }
    }

    @SuppressWarnings("deprecation")
    private JsonObject pull(JsonObject request) throws Exception {
        DefaultMQPullConsumer consumer = new DefaultMQPullConsumer(text(request, "group", ""));
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(instanceName("pull"));
        consumer.start();
        try {
            List<MessageExt> read = new ArrayList<>();
            Set<MessageQueue> queues = new HashSet<>(consumer.fetchSubscribeMessageQueues(text(request, "topic", "")));
            for (MessageQueue queue : queues) {
                long offset = consumer.minOffset(queue);
                long end = consumer.maxOffset(queue);
                while (offset < end) {
                    PullResult result = consumer.pull(queue, text(request, "tags", "*"), offset, 32);
                    if (result.getPullStatus() == PullStatus.FOUND) {
                        read.addAll(result.getMsgFoundList());
                    }
                    offset = result.getNextBeginOffset();
                }
            }
            return messages(read);
        } finally {
            consumer.shutdown();
        }
    }

    private void received(String consumer, MessageExt message) {
        JsonObject event = new JsonObject();
        event.addProperty("consumer", consumer);
        event.add("message", describe(message));
        print(event("message", event));
    }

    private synchronized void print(JsonObject line) {
        out.println(GSON.toJson(line));
    }

    private void close() {
        stoppers.values().forEach(Runnable::run);
        if (producer != null) {
            producer.shutdown();
        }
    }

    private static JsonObject event(String kind, JsonObject event) {
        event.addProperty("event", kind);
        return event;
    }

    private static JsonObject sendResult(Message message, SendResult result) {
        JsonObject sent = new JsonObject();
        if (message != null) {
            sent.addProperty("body", new String(message.getBody(), StandardCharsets.UTF_8));
        }
        sent.addProperty("status", result.getSendStatus().name());
        sent.addProperty("message_id", result.getMsgId());
        sent.addProperty("offset_message_id", result.getOffsetMsgId());
        sent.addProperty("queue", result.getMessageQueue().getQueueId());
        sent.addProperty("queue_offset", result.getQueueOffset());
        return sent;
    }

    private static JsonObject messages(List<MessageExt> messages) {
        List<JsonObject> described = new ArrayList<>();
        for (MessageExt message : messages) {
            described.add(describe(message));
        }
        JsonObject answer = new JsonObject();
        answer.add("messages", GSON.toJsonTree(described));
        return answer;
    }

    private static JsonObject describe(MessageExt message) {
        JsonObject described = new JsonObject();
        described.addProperty("topic", message.getTopic());
        described.addProperty("body", new String(message.getBody(), StandardCharsets.UTF_8));
        described.addProperty("tags", message.getTags());
        described.addProperty("keys", message.getKeys());
        described.addProperty("queue", message.getQueueId());
        described.addProperty("queue_offset", message.getQueueOffset());
        described.addProperty("message_id", message.getMsgId());
        return described;
    }

    private static String instanceName(String name) {
        return name + "_" + ProcessHandle.current().pid();
    }

    private static String text(JsonObject object, String key, String missing) {
        return object.has(key) && !object.get(key).isJsonNull() ? object.get(key).getAsString() : missing;
    }
}
