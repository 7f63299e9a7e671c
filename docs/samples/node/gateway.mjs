// The gateway API in Node.js 18 or newer, without packages.
import { createHmac } from "node:crypto";

const USAGE = `usage:
  gateway.mjs deposit ORDER_NO AMOUNT_X100 NOTIFY_URL
  gateway.mjs deposit-status ORDER_NO
  gateway.mjs payout ORDER_NO AMOUNT_X100 NAME ACCOUNT_NO
  gateway.mjs payout-status ORDER_NO
  gateway.mjs balance`;
const { DIAMONDPAY_URL, PLATFORM_ID, PLATFORM_KEY, AUTHORIZATION } = process.env;

// The string that is signed. Texts stand as they are, everything else as compact JSON.
function canonical(params) {
  return Object.keys(params)
    .filter((name) => name !== "sign" && name !== "sign_type" && params[name] !== "" && params[name] != null)
    .sort()
    .map((name) => `${name}=${typeof params[name] === "string" ? params[name] : JSON.stringify(params[name])}`)
    .join("&");
}

async function call(method, path, body) {
  const answer = await fetch(`${DIAMONDPAY_URL}/gateway/api${path}`, {
    method,
    headers: body ? { "Content-Type": "application/json" } : { Authorization: AUTHORIZATION },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  return answer.text();
}

function create(path, fields) {
  const params = { ...fields, platform_id: PLATFORM_ID, request_time: Math.floor(Date.now() / 1000) };
  const sign = createHmac("sha256", PLATFORM_KEY).update(canonical(params), "utf8").digest("hex");
  return call("POST", path, { ...params, sign_type: "HMAC-SHA256", sign });
}

const [command, order, amount, third, fourth] = process.argv.slice(2);
const commands = {
  deposit: () =>
    create("/v2/payments", { service_id: "SVC0001", payment_cl_id: order, amount: Number(amount), notify_url: third }),
  payout: () =>
    create("/v2/payouts", {
      service_id: "SVC0004", payout_cl_id: order, amount: Number(amount), name: third, number: fourth,
    }),
  "deposit-status": () => call("GET", `/v2/payments/${encodeURIComponent(order)}`),
  "payout-status": () => call("GET", `/v2/payouts/${encodeURIComponent(order)}`),
  balance: () => call("GET", "/v2/platforms/balance"),
};
if (!commands[command]) {
  console.error(USAGE);
  process.exit(1);
}
console.log(await commands[command]());
