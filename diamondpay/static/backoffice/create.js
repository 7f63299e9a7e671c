// Creating an order. The server says where the payer's page is; the press of the button is recent enough for the browser
// to let a window open. Where it does not, the order's page has the link.
"use strict";
{
  document.addEventListener("payer-page", (event) => {
    window.open(event.detail.url, "_blank", "noopener");
  });

  // Whoever was signed out keeps what was typed before them; a lost answer says that pressing again is safe.
  const tell = (id, isShown) => { document.getElementById(id).hidden = !isShown; };
  // The sum and the lists are asked for by their own fields: whether they come says nothing about the order.
  const isOrder = (event) => event.detail.requestConfig.elt.matches("form");

  document.addEventListener("htmx:beforeSwap", (event) => {
    const isLogin = new URL(event.detail.xhr.responseURL, location).pathname.endsWith("/login/");
    if (isLogin) event.detail.shouldSwap = false;
    tell("create-signed-out", isLogin);
    if (isOrder(event)) tell("create-no-answer", event.detail.xhr.status >= 400);
  });
  document.addEventListener("htmx:sendError", (event) => { if (isOrder(event)) tell("create-no-answer", true); });

  // What was wrong with a field is no longer said of what is typed now.
  document.addEventListener("input", (event) => {
    if (!event.target.closest("#create-form")) return;
    event.target.removeAttribute("aria-invalid");
    event.target.closest(".field")?.classList.remove("errors");
  });

  // A refused form comes back with the focus on the first field that is wrong.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "create-page") event.target.querySelector("[aria-invalid=true], .create-channels.errors input")?.focus();
  });
}
