// Creating an order. The server says where the payer's page is; the press of the button is recent enough for the browser
// to let a window open. Where it does not, the order's page has the link.
"use strict";
{
  document.addEventListener("payer-page", (event) => {
    window.open(event.detail.url, "_blank", "noopener");
  });

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
