import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;

/**
 * The Java client at work: {@code Load <name server> <way> <topic> <count>}, where the way is {@code async} (256 sends
 * in flight), {@code sync} (one send after the other) or {@code consume}. Each way warms up first, so that what is
 * measured is compiled code. Prints the work done a second, and the median
 * and the 99th percentile of single sends, as JSON.
 */
public final class Load {
    private static final int IN_FLIGHT = 256;
    private static final int BODY_BYTES = 1024;
    private static final int WAIT_SECONDS_MAX = 40;
    private static final long WARM_UP_NS = 2_500_000_000L;

    public static void main(String[] arguments) {
        try {
            measure(arguments);
            System.exit(0);
        } catch (Exception error) {
            // The client's threads live on, so the end has to be asked for.
            System.err.println(error);
            System.exit(1);
        }
    }

    private static void measure(String[] arguments) throws Exception {
        String nameServer = arguments[0];
        String topic = arguments[2];
        int count = Integer.parseInt(arguments[3]);
        double perSecond;
        long[] times = {0};
        if (arguments[1].equals("consume")) {
            consume(nameServer, topic, count, "warming");
            perSecond = consume(nameServer, topic, count, "measured");
        } else {
            DefaultMQProducer producer = new DefaultMQProducer("bench-java");
            producer.setNamesrvAddr(nameServer);
            producer.setSendMsgTimeout(10_000);
            producer.start();
            producer.send(message(topic));
            boolean isAsync = arguments[1].equals("async");
            long warmUntil = System.nanoTime() + WARM_UP_NS;
            while (System.nanoTime() < warmUntil) {
                send(producer, topic, isAsync, new long[1000]);
            }
            times = new long[count];
            long began = System.nanoTime();
            send(producer, topic, isAsync, times);
            perSecond = count * 1e9 / (System.nanoTime() - began);
            producer.shutdown();
        }
        Arrays.sort(times);
        System.out.printf(Locale.ROOT, "{\"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}%n", perSecond,
            times[times.length / 2] / 1e3, times[times.length * 99 / 100] / 1e3);
    }

    /** Send as often as there is room for times, which only those that wait for each answer note. */
    private static void send(DefaultMQProducer producer, String topic, boolean isAsync, long[] times) throws Exception {
        if (isAsync) {
            sendMany(producer, topic, times.length);
        } else {
            sendOneByOne(producer, topic, times);
        }
    }

    private static void sendOneByOne(DefaultMQProducer producer, String topic, long[] times) throws Exception {
        for (int i = 0; i < times.length; i++) {
            long began = System.nanoTime();
            producer.send(message(topic));
            times[i] = System.nanoTime() - began;
        }
    }

    private static void sendMany(DefaultMQProducer producer, String topic, int count) throws Exception {
        Semaphore room = new Semaphore(IN_FLIGHT);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        SendCallback answered = new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                room.release();
            }

            @Override
            public void onException(Throwable error) {
                failure.compareAndSet(null, error);
                room.release();
            }
        };
        for (int i = 0; i < count; i++) {
            room.acquire();
            producer.send(message(topic), answered);
        }
        room.acquire(IN_FLIGHT);
        if (failure.get() != null) {
            throw new IllegalStateException("a send failed", failure.get());
        }
    }

    /** Messages a second from the first to the last that a new group hears: without the time to join. */
    private static double consume(String nameServer, String topic, int count, String name) throws Exception {
        AtomicInteger heard = new AtomicInteger();
        AtomicLong first = new AtomicLong();
        AtomicLong last = new AtomicLong();
        CountDownLatch enough = new CountDownLatch(1);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("bench-java-" + name + ProcessHandle.current().pid());
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(name);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (received, context) -> {
            int now = heard.addAndGet(received.size());
            if (now == received.size()) {
                first.set(System.nanoTime());
            }
            if (now >= count && now - received.size() < count) {
                last.set(System.nanoTime());
                enough.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        if (!enough.await(WAIT_SECONDS_MAX, TimeUnit.SECONDS)) {
            throw new IllegalStateException(heard + " of " + count + " messages heard in " + WAIT_SECONDS_MAX + " s");
        }
        consumer.shutdown();
        return count * 1e9 / (last.get() - first.get());
    }

    private static Message message(String topic) {
        return new Message(topic, "bench", new byte[BODY_BYTES]);
    }
}
