// The calculator of the transaction-request API: the signed message and the three headers, as they are typed.
"use strict";
{
  const { hmacSha256 } = window.gatewaySigning;
  const form = document.getElementById("access-calculator");
  const field = (name) => form.querySelector(`[data-field=${name}]`);
  const show = (name, text) => {
    form.querySelector(`[data-output=${name}]`).textContent = text;
  };
  let round = 0;

  const calculate = async () => {
    round += 1;
    const mine = round;
    const [accessKey, secretKey, timestamp] = ["access_key", "secret_key", "timestamp"].map((name) => field(name).value.trim());
    const message = `${accessKey}_${timestamp}`;
    const isPossible = Boolean(window.crypto?.subtle);
    const fault = !isPossible ? form.dataset.insecure : !/^[0-9]{13}$/.test(timestamp) ? form.dataset.seconds : "";
    show("message", message);
    show("signature", "");
    show("headers", "");
    show("fault", fault);
    if (!secretKey || !isPossible) return;
    const signature = (await hmacSha256(secretKey, message)).toUpperCase();
    if (mine !== round) return;
    show("signature", signature);
    show("headers", `access_key: ${accessKey}\ntimestamp: ${timestamp}\nsignature: ${signature}`);
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", calculate);
  form.querySelector("[data-now]").addEventListener("click", () => {
    field("timestamp").value = String(Date.now());
    calculate();
  });
  calculate();
}
