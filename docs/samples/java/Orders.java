// The transaction-request API in Java 17 or newer: java Orders.java deposit ORDER_NO AMOUNT WEBHOOK_URL | status ORDER_NO
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Orders {
    static String call(String method, String path, String body) throws Exception {
        String accessKey = System.getenv("ACCESS_KEY");
        String moment = Long.toString(System.currentTimeMillis());
        Mac mac = Mac.getInstance("HmacSHA256");
        byte[] key = System.getenv("SECRET_KEY").getBytes(StandardCharsets.UTF_8);
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        byte[] made = mac.doFinal((accessKey + "_" + moment).getBytes(StandardCharsets.UTF_8));
        HttpRequest request = HttpRequest.newBuilder()
            .uri(URI.create(System.getenv("DIAMONDPAY_URL") + "/api/v2/merchant/" + path))
            .timeout(Duration.ofSeconds(30))
            .header("access-key", accessKey)
            .header("timestamp", moment)
            .header("signature", HexFormat.of().withUpperCase().formatHex(made))
            .header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .build();
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
    }

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    public static void main(String[] a) throws Exception {
        if (a[0].equals("deposit")) {
            // The amount is a JSON number; its digits stand as they are.
            System.out.println(call("POST", "deposit", """
                {"client": {"realName": "TEST_USER"}, "depositCurrency": "CNY", "fiatCurrency": "CNY",
                 "depositAmount": %s, "merchantOrderNo": %s, "webhookUrl": %s, "paymentMethod": {"method": 1}}
                """.formatted(a[2], quoted(a[1]), quoted(a[3]))));
        } else {
            String number = URLEncoder.encode(a[1], StandardCharsets.UTF_8);
            System.out.println(call("GET", "transaction-request?merchantOrderNo=" + number, ""));
        }
    }
}
