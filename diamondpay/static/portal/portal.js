"use strict";

// The payer's page: copies what must be typed, counts down, and looks every few seconds whether anything happened.
(() => {
  const POLL_MS = 3000;
  const payment = document.getElementById("payment");
  if (!payment) return;

  for (const button of document.querySelectorAll("button.copy")) {
    if (!navigator.clipboard) continue; // Not offered on plain http, except to this very machine.
    button.hidden = false;
    const words = button.textContent;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "✓";
      } catch {
        button.textContent = "✗";
      }
      setTimeout(() => { button.textContent = words; }, 1500);
    });
  }

  const countdown = document.getElementById("countdown");
  if (countdown) {
    // Counted from what the server said, by a clock that does not jump.
    const end = performance.now() + Number(countdown.dataset.seconds) * 1000;
    const tick = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      const hours = Math.floor(left / 3600), minutes = Math.floor(left / 60) % 60;
      const two = (number) => String(number).padStart(2, "0");
      // Orders over a chain may stay open for hours.
      countdown.textContent = `${hours ? `${hours}:${two(minutes)}` : minutes}:${two(left % 60)}`;
      if (left > 0) setTimeout(tick, 500);
    };
    tick();
  }

  const url = payment.dataset.url;
  if (!url) return;
  const offline = document.getElementById("offline");
  const poll = async () => {
    let wait = POLL_MS;
    try {
      const response = await fetch(url, { cache: "no-store", credentials: "omit" });
      const answer = await response.json();
      offline.hidden = true;
      const state = answer.error_code === "0000" ? answer.data.state : "gone";
      if (response.ok && state !== payment.dataset.state) {
        location.reload();
        return;
      }
    } catch {
      offline.hidden = false;
      wait = 3 * POLL_MS;
    }
    setTimeout(poll, document.hidden ? 3 * POLL_MS : wait);
  };
  setTimeout(poll, POLL_MS);
})();
