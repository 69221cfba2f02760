// Log events and labels from Java (11 or newer), without dependencies: batches, compressed, tried again.
//
//     java docs/producers/Producer.java http://127.0.0.1:8321 late-flights
//
// BAROGRAPH_KEY is the key, where one is needed. What is sent twice counts once: every event has an id.
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.zip.GZIPOutputStream;

public final class Producer implements AutoCloseable {
    private static final Set<Integer> LATER = Set.of(401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504);
    private static final int LIMIT = 50_000; // rows that wait; the newest are kept

    private final HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
    private final String base;
    private final String key = System.getenv("BAROGRAPH_KEY");
    private final int rows;
    private final Map<String, Deque<String>> waiting = Map.of("events", new ArrayDeque<>(), "labels", new ArrayDeque<>());
    private final Thread thread = new Thread(this::run, "barograph");
    private volatile boolean closed;
    private long dropped;

    public Producer(String url, String model, int rows) {
        String name = URLEncoder.encode(model, StandardCharsets.UTF_8).replace("+", "%20");
        this.base = url.replaceAll("/+$", "") + "/v1/models/" + name;
        this.rows = rows;
        thread.setDaemon(true);
        thread.start();
    }

    /** Logs one event: `id`, `timestamp`, `features`, `prediction`, `score` or `scores`, `context`. It waits for nothing. */
    public void log(Map<String, ?> event) {
        add("events", toJson(event));
    }

    public void label(String id, Object label, Instant at) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("id", id);
        row.put("label", label);
        row.put("label_timestamp", at);
        add("labels", toJson(row));
    }

    /** Sends what waits, and ends. */
    @Override
    public void close() throws InterruptedException {
        closed = true;
        thread.interrupt();
        thread.join();
    }

    private void add(String kind, String line) {
        Deque<String> lines = waiting.get(kind);
        synchronized (lines) {
            lines.addLast(line);
            if (lines.size() > LIMIT) {
                lines.removeFirst();
                dropped++;
            }
        }
    }

    private void run() {
        while (true) {
            boolean last = closed;
            for (String kind : List.of("events", "labels")) {
                List<String> batch;
                while (!(batch = take(kind)).isEmpty()) {
                    System.out.println(post(kind, packed(String.join("\n", batch))));
                }
            }
            if (last) {
                return;
            }
            pause(250);
        }
    }

    private List<String> take(String kind) {
        Deque<String> lines = waiting.get(kind);
        List<String> batch = new ArrayList<>();
        synchronized (lines) {
            while (!lines.isEmpty() && batch.size() < rows) {
                batch.add(lines.removeFirst());
            }
        }
        return batch;
    }

    private String post(String kind, byte[] body) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + "/" + kind))
                .timeout(Duration.ofSeconds(30))
                .header("Content-Type", "application/x-ndjson")
                .header("Content-Encoding", "gzip")
                .POST(HttpRequest.BodyPublishers.ofByteArray(body));
        if (key != null) {
            request.header("Authorization", "Bearer " + key);
        }
        for (long wait = 250; ; wait = Math.min(2 * wait, 60_000)) {
            long asked = 0;
            try {
                HttpResponse<String> answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
                if (!LATER.contains(answer.statusCode())) {
                    return answer.body(); // 200; 422 where no row was taken: it says why, row by row
                }
                asked = 1000 * answer.headers().firstValue("Retry-After").filter(s -> s.matches("\\d+")).map(Long::valueOf).orElse(0L);
            } catch (IOException error) { // the connection broke off, or there is none: the same again
            } catch (InterruptedException error) { // it is told to end: what it has is sent all the same
                wait = 250;
            }
            pause(Math.max(asked, (long) (wait * ThreadLocalRandom.current().nextDouble(0.5, 1.0))));
        }
    }

    private static void pause(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException error) { // it is told to end
        }
    }

    private static byte[] packed(String text) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(bytes)) {
            gzip.write(text.getBytes(StandardCharsets.UTF_8));
        } catch (IOException error) {
            throw new IllegalStateException(error); // memory has no such errors
        }
        return bytes.toByteArray();
    }

    /** Writes a value as JSON. NaN and infinity are text, as JSON has no word for them; a decimal is text, to the digit. */
    static String toJson(Object value) {
        if (value == null || value instanceof Boolean) {
            return String.valueOf(value);
        }
        if (value instanceof Double || value instanceof Float) {
            double number = ((Number) value).doubleValue();
            return Double.isFinite(number) ? String.valueOf(number) : quoted(String.valueOf(number));
        }
        if (value instanceof Number && !(value instanceof BigDecimal)) {
            return value.toString(); // whole numbers of any size, every digit
        }
        if (value instanceof Map) {
            List<String> members = new ArrayList<>();
            ((Map<?, ?>) value).forEach((name, inner) -> members.add(quoted(String.valueOf(name)) + ":" + toJson(inner)));
            return "{" + String.join(",", members) + "}";
        }
        if (value instanceof Iterable) {
            List<String> items = new ArrayList<>();
            ((Iterable<?>) value).forEach(inner -> items.add(toJson(inner)));
            return "[" + String.join(",", items) + "]";
        }
        // BigDecimal; Instant and OffsetDateTime with their zone; LocalDateTime and LocalDate without; UUID, enums, text.
        return quoted(value instanceof BigDecimal ? ((BigDecimal) value).toPlainString() : value.toString());
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    private static Map<String, Object> map(Object... pairs) {
        Map<String, Object> found = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            found.put((String) pairs[i], pairs[i + 1]); // a Map.of could not hold null
        }
        return found;
    }

    private static Map<String, Object> event(String name, Map<String, Object> features) {
        return map("id", "java-" + name, "timestamp", Instant.parse("2025-06-01T10:00:00Z"), "features", features, "score", 0.25);
    }

    public static void main(String[] args) throws Exception {
        try (Producer producer = new Producer(args[0], args[1], 5)) {
            Map<String, Object> plain = event("plain", map("x", 1.5, "amount", 2, "colour", "red", "known", true, "code", "A1"));
            plain.put("context", map("version", "7", "latency_ms", 3.5));
            producer.log(plain);
            producer.log(event("nan", map("x", Double.NaN, "colour", "red")));
            producer.log(event("infinite", map("x", Double.NEGATIVE_INFINITY, "colour", "red")));
            producer.log(event("null", map("x", null, "colour", null)));
            producer.log(event("missing", map()));
            producer.log(event("big", map("amount", 9007199254740993L, "code", 9007199254740993L)));
            producer.log(event("decimal", map("amount", new BigDecimal("12.30"), "code", new BigDecimal("12.30"))));
            Map<String, Object> naive = event("naive", map("x", 1.5));
            naive.put("timestamp", LocalDateTime.parse("2025-06-01T10:00:00"));
            producer.log(naive);
            producer.log(event("unicode-ü", map("colour", "grün 🦊 \"\\")));
            producer.log(event("truth", map("x", true, "known", false)));
            producer.log(event("wrong", map("x", "much")));
            producer.label("java-plain", 0, Instant.parse("2025-06-02T10:00:00Z"));
            producer.label("java-plain", 1, Instant.parse("2025-06-03T10:00:00Z"));
            producer.label("java-nan", 0, Instant.parse("2025-06-02T10:00:00Z"));
        }
    }
}
