// The transaction-request API in Node.js 18 or newer: orders.mjs deposit ORDER_NO AMOUNT WEBHOOK_URL | status ORDER_NO
import { createHmac } from "node:crypto";

const { DIAMONDPAY_URL, ACCESS_KEY, SECRET_KEY } = process.env;

async function call(method, path, body) {
  const timestamp = String(Date.now());
  const signature = createHmac("sha256", SECRET_KEY).update(`${ACCESS_KEY}_${timestamp}`).digest("hex").toUpperCase();
  const answer = await fetch(`${DIAMONDPAY_URL}/api/v2/merchant/${path}`, {
    method,
    headers: { "access-key": ACCESS_KEY, timestamp, signature, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  return answer.text();
}

const [command, order, amount, webhook] = process.argv.slice(2);
// The amount is sent as its digits, which keeps every decimal.
const found = command === "deposit"
  ? await call("POST", "deposit", {
      client: { realName: "TEST_USER" }, depositCurrency: "CNY", fiatCurrency: "CNY", depositAmount: amount,
      merchantOrderNo: order, webhookUrl: webhook, paymentMethod: { method: 1 },
    })
  : await call("GET", `transaction-request?merchantOrderNo=${encodeURIComponent(order)}`);
console.log(found);
