// The payment-detail API in Node.js 18 or newer: detail.mjs detail ORDER_NO | notify ORDER_NO
import { createHmac } from "node:crypto";

const { DIAMONDPAY_URL, PAY_KEY, PAY_SECRET } = process.env;

async function call(method, path, body = "") {
  const moment = String(Math.floor(Date.now() / 1000));
  const signature = createHmac("sha256", PAY_SECRET).update(moment + method + path + body).digest("base64");
  const answer = await fetch(DIAMONDPAY_URL + path, {
    method,
    headers: {
      "X-PAY-KEY": PAY_KEY, "X-PAY-TIMESTAMP": moment, "X-PAY-SIGN": signature, "Content-Type": "application/json",
    },
    body: body || undefined,
    signal: AbortSignal.timeout(30_000),
  });
  return answer.text();
}

const [command, order] = process.argv.slice(2);
console.log(await call("GET", `/payment/${command}?outTradeNo=${encodeURIComponent(order)}`));
