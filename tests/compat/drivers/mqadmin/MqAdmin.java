import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Runs commands of Apache's mqadmin one after the other in one process, and returns what each printed. A process of
 * its own for each, as the script mqadmin starts, would take seconds a command.
 *
 * <p>It also keeps clients connected, so that there is something to see in the lists of connections.
 */
public final class MqAdmin {
    private static final Gson GSON = new Gson();
    private static final List<Runnable> CLIENTS = new ArrayList<>();

    private MqAdmin() {
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        hurryShutdowns(Thread.currentThread());
        JsonObject ready = new JsonObject();
        ready.addProperty("event", "ready");
        out.println(GSON.toJson(ready));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonObject request = JsonParser.parseString(line).getAsJsonObject();
            JsonObject answer = new JsonObject();
            try {
                perform(request, answer);
            } catch (Throwable error) {
                StringWriter trace = new StringWriter();
                error.printStackTrace(new PrintWriter(trace));
                answer.addProperty("error", trace.toString());
            }
            answer.add("id", request.get("id"));
            out.println(GSON.toJson(answer));
        }
        CLIENTS.forEach(Runnable::run);
        System.exit(0);
    }

    private static void perform(JsonObject request, JsonObject answer) throws Exception {
        String verb = request.get("do").getAsString();
        if (verb.equals("run")) {
            List<String> words = new ArrayList<>();
            for (JsonElement word : request.getAsJsonArray("words")) {
                words.add(word.getAsString());
            }
            RPCHook hook = null;
            if (request.has("access_key")) {
                hook = new AclClientRPCHook(new SessionCredentials(
                    request.get("access_key").getAsString(), request.get("secret_key").getAsString()));
            }
            answer.addProperty("printed", run(words.toArray(new String[0]), hook));
        } else if (verb.equals("call")) {
            JsonObject answers = new JsonObject();
            Calls.make(request, answers);
            answer.add("answers", answers);
        } else if (verb.equals("consume")) {
            consume(request.get("name_server").getAsString(), request.get("group").getAsString(),
                request.get("topic").getAsString(), request.get("tags").getAsString());
        } else {
            produce(request.get("name_server").getAsString(), request.get("group").getAsString(),
                request.get("topic").getAsString());
        }
    }

    private static String run(String[] words, RPCHook hook) throws Exception {
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        PrintStream to = new PrintStream(printed, true, "UTF-8");
        System.setOut(to);
        System.setErr(to);
        // Commands keep their clients, which they have shut down, so each run needs new ones.
        Mqadmin.forget();
        try {
            MQAdminStartup.main0(words, hook);
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
        return printed.toString("UTF-8");
    }

    /**
     * A client that shuts down waits up to three seconds for a thread that waits for events. This wakes such threads
     * while the command waits for one, and no thread that is doing something.
     */
    private static void hurryShutdowns(Thread commands) {
        Thread waker = new Thread(() -> {
            Thread[] threads = new Thread[1000];
            while (true) {
                LockSupport.parkNanos(20_000_000);
                if (!isIn(commands, "ServiceThread", "shutdown")) {
                    continue;
                }
                int count = Thread.enumerate(threads);
                for (int i = 0; i < count; i++) {
                    if (threads[i].getName().contains("NettyEventExecutor")
                        && isIn(threads[i], "LinkedBlockingQueue", "poll")) {
                        threads[i].interrupt();
                    }
                }
            }
        });
        waker.setDaemon(true);
        waker.start();
    }

    private static boolean isIn(Thread thread, String className, String method) {
        for (StackTraceElement frame : thread.getStackTrace()) {
            if (frame.getClassName().endsWith(className) && frame.getMethodName().equals(method)) {
                return true;
            }
        }
        return false;
    }

    private static void consume(String nameServer, String group, String topic, String tags) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName("sweep");
        consumer.setUnitName(nameServer.substring(nameServer.indexOf(':') + 1));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, tags);
        consumer.setMessageListener((MessageListenerConcurrently) (messages, context) ->
            ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
        consumer.start();
        CLIENTS.add(consumer::shutdown);
    }

    private static void produce(String nameServer, String group, String topic) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(group);
        producer.setNamesrvAddr(nameServer);
        producer.setInstanceName("sweep-producer");
        producer.setUnitName(nameServer.substring(nameServer.indexOf(':') + 1));
        producer.start();
        producer.fetchPublishMessageQueues(topic);
        producer.getDefaultMQProducerImpl().getMqClientFactory().sendHeartbeatToAllBrokerWithLock();
        CLIENTS.add(producer::shutdown);
    }

    /** Reaches the list of commands, to which each run adds all of them. */
    private static final class Mqadmin extends MQAdminStartup {
        static void forget() {
            SUB_COMMANDS.clear();
        }
    }
}
