// The gateway API in Java 17 or newer, without libraries: java Gateway.java balance
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Gateway {
    static final String USAGE = """
        usage:
          Gateway deposit ORDER_NO AMOUNT_X100 NOTIFY_URL
          Gateway deposit-status ORDER_NO
          Gateway payout ORDER_NO AMOUNT_X100 NAME ACCOUNT_NO
          Gateway payout-status ORDER_NO
          Gateway balance""";

    /** The string that is signed. All values here are texts; amounts may be sent as their digits. */
    static String canonical(Map<String, String> params) {
        return new TreeMap<>(params).entrySet().stream()
            .filter(e -> !e.getKey().equals("sign") && !e.getKey().equals("sign_type") && !e.getValue().isEmpty())
            .map(e -> e.getKey() + "=" + e.getValue())
            .collect(Collectors.joining("&"));
    }

    static String hmac(String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(env("PLATFORM_KEY").getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        return HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
    }

    static String json(Map<String, String> params) {
        return params.entrySet().stream().map(e -> quoted(e.getKey()) + ":" + quoted(e.getValue()))
            .collect(Collectors.joining(",", "{", "}"));
    }

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    static String create(String path, Map<String, String> fields) throws Exception {
        Map<String, String> params = new TreeMap<>(fields);
        params.put("platform_id", env("PLATFORM_ID"));
        params.put("request_time", Long.toString(Instant.now().getEpochSecond()));
        params.put("sign", hmac(canonical(params)));
        params.put("sign_type", "HMAC-SHA256");
        return send(at(path).header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(json(params))));
    }

    static String get(String path) throws Exception {
        return send(at(path).header("Authorization", env("AUTHORIZATION")).GET());
    }

    static HttpRequest.Builder at(String path) {
        URI address = URI.create(env("DIAMONDPAY_URL") + "/gateway/api" + path);
        return HttpRequest.newBuilder(address).timeout(Duration.ofSeconds(30));
    }

    static String send(HttpRequest.Builder request) throws Exception {
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString()).body();
    }

    static String env(String name) {
        return System.getenv().getOrDefault(name, "");
    }

    static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    public static void main(String[] a) throws Exception {
        System.out.println(switch (a.length == 0 ? "" : a[0]) {
            case "deposit" -> create("/v2/payments", Map.of(
                "service_id", "SVC0001", "payment_cl_id", a[1], "amount", a[2], "notify_url", a[3]));
            case "payout" -> create("/v2/payouts", Map.of(
                "service_id", "SVC0004", "payout_cl_id", a[1], "amount", a[2], "name", a[3], "number", a[4]));
            case "deposit-status" -> get("/v2/payments/" + encoded(a[1]));
            case "payout-status" -> get("/v2/payouts/" + encoded(a[1]));
            case "balance" -> get("/v2/platforms/balance");
            default -> USAGE;
        });
    }
}
