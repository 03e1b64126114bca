import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Works the official Java client on behalf of the interop tests: one JSON request a line on standard input, one JSON
 * answer a line on standard output, and an event line for each message a consumer receives.
 */
public final class Driver {
    private final PrintStream out;
    private final Sending sending;
    private final Consuming consuming;
    private final Pulling pulling;
    private final Transactions transactions;
    private final Requests requests;
    private final Popping popping;
    private final Admin admin;

    private Driver(String nameServer, PrintStream out) {
        this.out = out;
        sending = new Sending(nameServer);
        consuming = new Consuming(nameServer, sending, this::heard);
        pulling = new Pulling(nameServer);
        transactions = new Transactions(nameServer, this::heard);
        requests = new Requests(sending);
        popping = new Popping(nameServer);
        admin = new Admin(nameServer);
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
                return sending.send(request);
            case "recall":
                return sending.recall(request);
            case "query_key":
                return sending.queryKey(request);
            case "query_id":
                return sending.queryId(request);
            case "start_consumer":
                return consuming.start(request);
            case "stop_consumer":
                return consuming.stop(request);
            case "pull":
                return pulling.pull(request);
            case "lite_assign":
                return pulling.liteAssign(request);
            case "pop":
                return popping.pop(request);
            case "pop_end":
                return popping.end(request);
            case "pop_end_all":
                return popping.endAll(request);
            case "pop_notice":
                return popping.notice(request);
            case "start_transactions":
                return transactions.start(request);
            case "transact":
                return transactions.transact(request);
            case "stop_transactions":
                return transactions.stop(request);
            case "request":
                return requests.ask(request);
            case "request_many":
                return requests.askMany(request);
            default:
                return admin.perform(request);
        }
    }

    private void heard(String consumer, MessageExt message) {
        JsonObject event = new JsonObject();
        event.addProperty("consumer", consumer);
        event.add("message", Json.describe(message));
        print(event("message", event));
    }

    private synchronized void print(JsonObject line) {
        out.println(Json.GSON.toJson(line));
    }

    private void close() {
        consuming.close();
        pulling.close();
        popping.close();
        transactions.close();
        sending.close();
        admin.close();
    }

    private static JsonObject event(String kind, JsonObject event) {
        event.addProperty("event", kind);
        return event;
    }
}
