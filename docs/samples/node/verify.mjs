// Say whether a notification is ours: verify.mjs WEBHOOK_ID TIMESTAMP SIGNATURES < body
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

// The body is the bytes that came, not JSON written anew.
function isOurs(webhookId, timestamp, signatures, body) {
  if (!/^[0-9]+$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const mac = createHmac("sha256", process.env.PLATFORM_KEY).update(`${webhookId}.${timestamp}.`).update(body);
  const wanted = Buffer.from(`v1,${mac.digest("base64")}`);
  return signatures.split(" ").map((given) => Buffer.from(given))
    .some((given) => given.length === wanted.length && timingSafeEqual(given, wanted));
}

console.log(isOurs(...process.argv.slice(2, 5), readFileSync(0)) ? "valid" : "invalid");
