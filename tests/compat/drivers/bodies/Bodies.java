import com.caucho.hessian.io.Hessian2Input;
import com.caucho.hessian.io.Hessian2Output;
import com.caucho.hessian.io.SerializerFactory;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.PrintStream;
import java.io.Serializable;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.Vector;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Writes and reads bodies with Java's own serialization and with Hessian. Without input it prints samples, one a line:
 * format, name, hex. For each line `format hex` of input it prints what Java reads from it, in a plain notation.
 */
public final class Bodies {
    enum State { NEW, PAID { @Override public String toString() { return "paid!"; } } }

    static class Item implements Serializable {
        private static final long serialVersionUID = 42L;
        String name;
        Order order;
    }

    static class Ancestor implements Serializable {
        private static final long serialVersionUID = 7L;
        int version = 3;
        String note = "old";
    }

    static class Order extends Ancestor {
        private static final long serialVersionUID = 43L;
        boolean paid = true;
        byte small = -1;
        char letter = 'é';
        short medium = -300;
        int count = 5;
        long id = 1L << 40;
        float ratio = 0.5f;
        double total = 12.25;
        Long boxed = 9L;
        String text = "größe";
        State state = State.PAID;
        int[] numbers = {1, 2, 3};
        String[] words = {"a", null};
        List<Item> items = new ArrayList<>();
        transient String hidden = "not sent";
    }

    static class Bean implements Serializable {
        private static final long serialVersionUID = 44L;
        int count;
        long id;
        Long boxed;
        double total;
        String text;
        List<Object> items;
        byte[] data;
        int[] numbers;
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        if (args.length > 0 && args[0].equals("samples")) {
            for (Map.Entry<String, Object> sample : samples().entrySet()) {
                out.println("java " + sample.getKey() + " " + hex(java(sample.getValue())));
                if (!sample.getKey().startsWith("java-only")) {
                    out.println("hessian " + sample.getKey() + " " + hex(hessian(sample.getValue())));
                }
            }
            return;
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            try {
                out.println(shown(read(words[0], bytes(words[1]))));
            } catch (Exception error) {
                out.println("error " + error);
            }
        }
    }

    private static Map<String, Object> samples() {
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("null", null);
        found.put("true", true);
        found.put("string", "hello, wörld ✓ \ud83d\ude00");
        found.put("nul", "a\u0000b");
        found.put("long-string", "xyü\ud83d\ude00".repeat(20000));
        found.put("int", 42);
        found.put("ints", new ArrayList<>(Arrays.asList(0, -16, 47, 48, -17, 2047, -2048, 2048, 262143, -262144, 262144, Integer.MIN_VALUE, Integer.MAX_VALUE)));
        found.put("longs", new ArrayList<>(Arrays.asList(0L, -8L, 15L, 16L, -2048L, 2047L, 2048L, 262143L, -262144L, 262144L, (long) Integer.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE)));
        found.put("doubles", new ArrayList<>(Arrays.asList(0.0, 1.0, -1.0, 127.0, -128.0, 128.0, 32767.0, -32768.0, 12.25, 0.1, 1e300, -0.0)));
        found.put("byte", (byte) -5);
        found.put("short", (short) 300);
        found.put("float", 0.5f);
        found.put("char", 'é');
        found.put("bytes", new byte[] {0, 1, -1});
        found.put("many-bytes", new byte[20000]);
        found.put("date", new Date(1700000000123L));
        found.put("date-of-minutes", new Date(1700000040000L));
        found.put("list", new ArrayList<>(Arrays.asList("a", 1, null, "a", new ArrayList<>(Arrays.asList(2)))));
        found.put("linked-list", new LinkedList<>(Arrays.asList("a", "b")));
        found.put("long-list", new ArrayList<>(Collections.nCopies(20, "x")));
        Map<Object, Object> map = new HashMap<>();
        map.put("one", 1);
        map.put(2, Arrays.asList("a", "b"));
        found.put("map", map);
        found.put("linked-map", new LinkedHashMap<>(map));
        found.put("tree-map", new TreeMap<>(Collections.singletonMap("k", "v")));
        found.put("set", new HashSet<>(Arrays.asList("x", "y")));
        found.put("linked-set", new LinkedHashSet<>(Arrays.asList("x", "y")));
        found.put("tree-set", new TreeSet<>(Arrays.asList("x", "y")));
        found.put("int-array", new int[] {1, -2, 3});
        found.put("long-array", new long[] {1, -2});
        found.put("double-array", new double[] {1.5});
        found.put("string-array", new String[] {"a", null, "b"});
        found.put("object-array", new Object[] {"a", 1});
        found.put("nested-array", new int[][] {{1}, {2, 3}});
        found.put("enum", State.NEW);
        found.put("enum-with-body", State.PAID);
        found.put("big-decimal", new BigDecimal("-12.340"));
        found.put("java-only-big-integer", BigInteger.ONE.shiftLeft(100).negate());
        found.put("java-only-big-integer-zero", BigInteger.ZERO);
        found.put("java-only-uuid", UUID.fromString("123e4567-e89b-12d3-a456-426614174000"));
        found.put("java-only-instant", Instant.ofEpochSecond(1700000000, 5000));
        found.put("java-only-local-date", LocalDate.of(2026, 11, 21));
        found.put("java-only-local-date-time", LocalDateTime.of(2026, 11, 21, 12, 30));
        found.put("java-only-local-time", LocalTime.of(12, 0, 5, 7000));
        found.put("java-only-duration", Duration.ofMillis(1500));
        found.put("java-only-list-of", List.of(1, 2));
        found.put("java-only-map-of", Map.of("a", 1));
        found.put("java-only-as-list", Arrays.asList("a", "b"));
        found.put("java-only-unmodifiable", Collections.unmodifiableList(new ArrayList<>(Arrays.asList(1))));
        found.put("java-only-singleton-map", Collections.singletonMap("a", 1));
        found.put("java-only-empty-list", Collections.emptyList());
        found.put("java-only-deque", new ArrayDeque<>(Arrays.asList(1, 2)));
        found.put("java-only-priority-queue", new PriorityQueue<>(Arrays.asList(1, 2)));
        found.put("java-only-vector", new Vector<>(Arrays.asList(1, 2)));
        found.put("java-only-concurrent-map", new ConcurrentHashMap<>(Collections.singletonMap("a", 1)));
        found.put("java-only-enum-set", EnumSet.of(State.NEW));
        found.put("java-only-enum-map", new EnumMap<>(Collections.singletonMap(State.NEW, 1)));
        found.put("java-only-class", String.class);
        found.put("java-only-timestamp", new java.sql.Timestamp(1700000000123L));
        Order order = new Order();
        Item item = new Item();
        item.name = "pen";
        item.order = order;
        order.items.add(item);
        found.put("circle-of-beans", order);
        return found;
    }

    private static byte[] java(Object value) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(value);
        }
        return bytes.toByteArray();
    }

    private static byte[] hessian(Object value) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Hessian2Output out = new Hessian2Output(bytes);
        out.writeObject(value);
        out.close();
        return bytes.toByteArray();
    }

    private static Object read(String format, byte[] data) throws Exception {
        if (format.equals("java")) {
            return new ObjectInputStream(new ByteArrayInputStream(data)).readObject();
        }
        Hessian2Input in = new Hessian2Input(new ByteArrayInputStream(data));
        SerializerFactory factory = new SerializerFactory();
        factory.getClassFactory().setWhitelist(true);
        factory.getClassFactory().allow("*");
        in.setSerializerFactory(factory);
        return in.readObject();
    }

    /** The class and content of a value: `Integer 5`, `ArrayList [String a]`. */
    private static String shown(Object value) throws Exception {
        if (value == null) {
            return "null";
        }
        String name = value.getClass().getSimpleName();
        if (value.getClass().isArray()) {
            List<String> items = new ArrayList<>();
            for (int i = 0; i < Array.getLength(value); i++) {
                items.add(shown(Array.get(value, i)));
            }
            return name + " " + items;
        }
        if (value instanceof Iterable) {
            List<String> items = new ArrayList<>();
            for (Object item : (Iterable<?>) value) {
                items.add(shown(item));
            }
            if (value instanceof java.util.Set) {
                Collections.sort(items);
            }
            return name + " " + items;
        }
        if (value instanceof Map) {
            Map<String, String> items = new TreeMap<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                items.put(shown(entry.getKey()), shown(entry.getValue()));
            }
            return name + " " + items;
        }
        if (value instanceof Date) {
            return name + " " + ((Date) value).getTime();
        }
        if (value instanceof Bean) {
            Bean bean = (Bean) value;
            return name + " " + bean.count + " " + bean.id + " " + bean.boxed + " " + bean.total + " " + bean.text + " "
                + shown(bean.items) + " " + shown(bean.data) + " " + shown(bean.numbers);
        }
        if (value instanceof Order) {
            Order order = (Order) value;
            Item item = order.items.get(0);
            return name + " " + order.version + " " + order.note + " " + order.paid + " " + order.small + " " + (int) order.letter + " "
                + order.medium + " " + order.count + " " + order.id + " " + order.ratio + " " + order.total + " " + order.boxed
                + " " + order.text + " " + order.state.name() + " " + Arrays.toString(order.numbers) + " "
                + Arrays.toString(order.words) + " " + item.name + " " + (item.order == order);
        }
        if (value instanceof Enum) {
            return "Enum " + ((Enum<?>) value).name();
        }
        return name + " " + value;
    }

    private static String hex(byte[] data) {
        StringBuilder text = new StringBuilder();
        for (byte one : data) {
            text.append(String.format("%02x", one));
        }
        return text.toString();
    }

    private static byte[] bytes(String hex) {
        byte[] data = new byte[hex.length() / 2];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return data;
    }
}
