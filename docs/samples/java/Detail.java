// The payment-detail API in Java 17 or newer: java Detail.java
// create ORDER_NO CHAIN_ID TOKEN AMOUNT NOTIFY_URL | detail ORDER_NO | notify ORDER_NO
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Detail {
    static String call(String method, String path, String body) throws Exception {
        String moment = Long.toString(Instant.now().getEpochSecond());
        Mac mac = Mac.getInstance("HmacSHA256");
        byte[] secret = System.getenv("PAY_SECRET").getBytes(StandardCharsets.UTF_8);
        mac.init(new SecretKeySpec(secret, "HmacSHA256"));
        byte[] made = mac.doFinal((moment + method + path + body).getBytes(StandardCharsets.UTF_8));
        HttpRequest request = HttpRequest.newBuilder()
            .uri(URI.create(System.getenv("DIAMONDPAY_URL") + path))
            .timeout(Duration.ofSeconds(30))
            .header("X-PAY-KEY", System.getenv("PAY_KEY"))
            .header("X-PAY-TIMESTAMP", moment)
            .header("X-PAY-SIGN", Base64.getEncoder().encodeToString(made))
            .header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .build();
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
    }

    public static void main(String[] a) throws Exception {
        if (a[0].equals("create")) {
            // None of these texts holds a quotation mark or a backslash; with any that may, use a JSON library.
            String wanted = """
                {"chainId": %d, "description": "A sample order", "outTradeNo": "%s", "isLegalTender": 0,
                 "quoteCurrencySymbol": "%s", "quoteAmount": "%s", "notifyUrl": "%s"}"""
                .formatted(Integer.parseInt(a[2]), a[1], a[3], a[4], a[5]);
            System.out.println(call("POST", "/payment/createPaymentOrder", wanted));
            return;
        }
        String number = URLEncoder.encode(a[1], StandardCharsets.UTF_8);
        System.out.println(call("GET", "/payment/" + a[0] + "?outTradeNo=" + number, ""));
    }
}
