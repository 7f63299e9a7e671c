// The payment-detail API in Node.js 18 or newer: detail.mjs
// create ORDER_NO CHAIN_ID TOKEN AMOUNT NOTIFY_URL | detail ORDER_NO | notify ORDER_NO
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

const [command, order, chain, token, amount, notifyUrl] = process.argv.slice(2);
if (command === "create") {
  const wanted = {
    chainId: Number(chain), description: "A sample order", outTradeNo: order, isLegalTender: 0,
    quoteCurrencySymbol: token, quoteAmount: amount, notifyUrl,
  };
  console.log(await call("POST", "/payment/createPaymentOrder", JSON.stringify(wanted)));
} else {
  console.log(await call("GET", `/payment/${command}?outTradeNo=${encodeURIComponent(order)}`));
}
