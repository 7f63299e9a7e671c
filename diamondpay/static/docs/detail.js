// The calculator of the payment-detail API: the signed message and the three headers, as they are typed.
"use strict";
{
  const form = document.getElementById("detail-calculator");
  const field = (name) => form.querySelector(`[data-field=${name}]`);
  const show = (name, text) => {
    form.querySelector(`[data-output=${name}]`).textContent = text;
  };
  let round = 0;

  const hmacBase64 = async (key, text) => {
    const encoder = new TextEncoder();
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const made = await crypto.subtle.importKey("raw", encoder.encode(key), algorithm, false, ["sign"]);
    const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", made, encoder.encode(text)));
    return btoa(String.fromCharCode(...bytes));
  };

  const calculate = async () => {
    round += 1;
    const mine = round;
    const [key, secret, timestamp, path] = ["key", "secret", "timestamp", "path"].map((name) => field(name).value.trim());
    const method = field("method").value;
    // Byte for byte what is sent: nothing of the body is trimmed.
    const body = method === "GET" ? "" : field("body").value;
    const message = `${timestamp}${method}${path}${body}`;
    const isPossible = Boolean(window.crypto?.subtle);
    let fault = "";
    if (!path.startsWith("/")) fault = form.dataset.path;
    if (!/^[0-9]{10}$/.test(timestamp)) fault = form.dataset.seconds;
    if (!isPossible) fault = form.dataset.insecure;
    field("body").disabled = method === "GET";
    show("message", message);
    show("signature", "");
    show("headers", "");
    show("fault", fault);
    if (!secret || !isPossible) return;
    const signature = await hmacBase64(secret, message);
    if (mine !== round) return;
    show("signature", signature);
    show("headers", `X-PAY-KEY: ${key}\nX-PAY-TIMESTAMP: ${timestamp}\nX-PAY-SIGN: ${signature}`);
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", calculate);
  form.querySelector("[data-now]").addEventListener("click", () => {
    field("timestamp").value = String(Math.floor(Date.now() / 1000));
    calculate();
  });
  calculate();
}
