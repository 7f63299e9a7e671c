// Keys of an order page: [ and ] or the arrow keys lead to the orders before and after it in the list it came from.
"use strict";
{
  const KEYS = { "[": "prev", "]": "next", ArrowLeft: "prev", ArrowRight: "next" };
  const TYPED_IN = "input, select, textarea, [contenteditable]";

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (document.querySelector("dialog[open], details.menu[open]") || event.target.closest?.(TYPED_IN)) return;
    const way = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : "";
    // A wide body or table scrolls by the arrow keys where it has the focus.
    if (!way || (event.key.startsWith("Arrow") && event.target !== document.body && event.target.closest?.("pre, .dense"))) return;
    const link = document.querySelector(`a[rel="${way}"]`);
    if (!link) return;
    event.preventDefault();
    link.click();
  });
}
