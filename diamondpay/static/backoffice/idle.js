// Signing out whoever is away: warns before, asks the server how long is left (another window may be busy), and says
// that somebody is here while they type. The server decides; without this script it signs out all the same.
"use strict";
{
  const dialog = document.querySelector("#idle");
  const seconds = Number(dialog.dataset.seconds);
  // A fifth of the time to notice, at most a minute.
  const WARN_SECONDS = Math.min(60, Math.max(2, Math.floor(seconds / 5)));
  const PING_SECONDS = Math.min(60, Math.max(1, seconds / 5));
  const ACTIVITY = "X-Activity";
  let endsAt = performance.now() + seconds * 1000;
  let pingedAt = performance.now();
  let isAsking = false;

  const left = () => Math.ceil((endsAt - performance.now()) / 1000);

  function signedOut() {
    const here = location.pathname + location.search;
    location.assign(`${dialog.dataset.login}&next=${encodeURIComponent(here)}`);
  }

  async function ask(isActive) {
    if (isAsking) return;
    isAsking = true;
    try {
      const answer = await fetch(dialog.dataset.session, { headers: isActive ? { [ACTIVITY]: "1" } : {}, credentials: "same-origin", redirect: "manual" });
      if (!answer.ok) { signedOut(); return; }
      endsAt = performance.now() + (await answer.json()).seconds_left * 1000;
    } catch {
      // The network is away for a moment; the next tick asks again.
    } finally {
      isAsking = false;
    }
  }

  async function tick() {
    if (left() <= WARN_SECONDS && !dialog.open) await ask(false);
    if (left() <= 0) { await ask(false); if (left() <= 0) signedOut(); return; }
    document.querySelector("#idle-left").textContent = String(Math.max(left(), 0));
    if (left() <= WARN_SECONDS && !dialog.open) dialog.showModal();
    else if (left() > WARN_SECONDS && dialog.open) dialog.close();
  }

  function isHere() {
    if (dialog.open || performance.now() - pingedAt < PING_SECONDS * 1000) return;
    pingedAt = performance.now();
    ask(true);
  }

  for (const kind of ["keydown", "pointerdown"]) document.addEventListener(kind, isHere, { passive: true });
  dialog.addEventListener("close", () => { if (left() <= WARN_SECONDS) ask(true); });
  // What a person presses htmx for is an act of theirs; what a page fetches on a timer is not.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.triggeringEvent?.isTrusted) event.detail.headers[ACTIVITY] = "1";
  });
  setInterval(tick, 1000);
}
