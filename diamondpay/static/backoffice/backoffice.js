// Keys, copying, menus, the theme and the navigation. Listeners sit on the document, so that parts of a page that htmx
// brings later need nothing of their own.
"use strict";
{
  const root = document.documentElement;
  const FIELDS = "input:not([type=checkbox], [type=radio], [type=submit], [type=button]), select, textarea, [contenteditable]";
  const COPIED_MS = 1400;
  const SENT_MS = 3000;
  const find = (selector) => document.querySelector(selector);
  const announce = (text) => { find("#announcer").textContent = text; };

  // --- The current row of a list: j k ↑ ↓ Enter c ---------------------------------------------------------------------
  const LISTS = ".dense.fill table, table[data-rows], #result_list";

  function rows() {
    const table = find(LISTS);
    return table ? [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => row.querySelector("a[href]")) : [];
  }

  function mark(row) {
    for (const other of rows()) if (other !== row) other.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const all = rows();
    if (!all.length) return false;
    const at = all.findIndex((row) => row.hasAttribute("aria-current"));
    mark(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)]);
    return true;
  }

  function currentRow() {
    return rows().find((row) => row.hasAttribute("aria-current"));
  }

  function openRow(target) {
    const row = currentRow();
    if (!row || (target !== document.body && target !== row)) return false;
    (row.querySelector("a[data-open]") || row.querySelector("a[href]")).click();
    return true;
  }

  function copyRow() {
    const row = currentRow();
    if (!row) return false;
    const button = row.querySelector("[data-copy]");
    copy(button ? textOf(button) : row.querySelector("a[href]").textContent.trim(), button);
    return true;
  }

  // --- Copying -----------------------------------------------------------------------------------------------------
  // A button with no text of its own copies what stands before it: a secret is in the page once.
  function textOf(button) {
    return button.dataset.copy || button.previousElementSibling.textContent.trim();
  }

  async function copy(text, button) {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
    } else {
      // Without https a browser offers only the old way.
      const field = document.createElement("textarea");
      field.value = text;
      field.className = "visually-hidden";
      (button ? button.parentElement : document.body).append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    announce(`${find("#announcer").dataset.copied} ${text}`);
    if (!button) return;
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), COPIED_MS);
  }

  // --- Menus, help, navigation -------------------------------------------------------------------------------------
  function closeMenus(except) {
    let closed = null;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (except && menu.contains(except)) continue;
      menu.open = false;
      closed = menu;
    }
    return closed;
  }

  // A menu that would leave the window opens towards the other side.
  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (!menu.matches("details.menu[open]")) return;
    const box = menu.lastElementChild.getBoundingClientRect();
    if (box.right > root.clientWidth) menu.classList.add("end");
    else if (box.left < 0) menu.classList.remove("end");
  }, true);

  function openHelp() {
    const dialog = find("#help");
    if (!dialog) return false;
    closeMenus();
    if (!dialog.open) dialog.showModal();
    return true;
  }

  const isDrawer = () => matchMedia("(max-width: 1023px)").matches;

  function showNavigation(isShown) {
    if (isDrawer()) {
      root.dataset.drawer = isShown ? "open" : "";
      find("main").inert = isShown;
      if (isShown) find("#navigation").querySelector("[aria-current], a").focus();
      else find("[data-navigation]").focus();
    } else {
      root.dataset.navigation = isShown ? "" : "closed";
      localStorage.setItem("navigation", isShown ? "open" : "closed");
    }
    tellNavigation();
  }

  function isNavigationShown() {
    return isDrawer() ? root.dataset.drawer === "open" : root.dataset.navigation !== "closed";
  }

  function tellNavigation() {
    find("[data-navigation]")?.setAttribute("aria-expanded", String(isNavigationShown()));
  }

  // --- Theme: the first press always changes what is seen ------------------------------------------------------------
  function nextTheme() {
    const order = matchMedia("(prefers-color-scheme: dark)").matches ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
    const theme = order[(order.indexOf(root.dataset.theme) + 1) % order.length];
    root.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    tellTheme();
    announce(find("[data-theme-toggle]").getAttribute("aria-label"));
  }

  function tellTheme() {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      const words = button.dataset[root.dataset.theme];
      button.setAttribute("aria-label", words);
      button.title = words;
    }
  }

  // --- Where keys lead -----------------------------------------------------------------------------------------------
  function focusOn(element) {
    if (!element) return false;
    const details = element.closest("details:not([open])");
    if (details && element.tagName !== "SUMMARY") details.open = true;
    element.focus();
    element.select?.();
    return true;
  }

  function toFilters() {
    const bar = find("[data-filters], .filter-bar");
    return Boolean(bar) && focusOn([...bar.querySelectorAll("input:not([type=hidden]), select, summary, button")].find((item) => item.checkVisibility()));
  }

  // A list's table scrolls by itself; these keys mean it wherever nothing else has the focus.
  function turnPage(key) {
    const region = find(".dense.fill");
    if (!region || document.activeElement !== document.body || region.scrollHeight <= region.clientHeight) return false;
    const page = region.clientHeight - 64;
    const by = { PageDown: page, PageUp: -page, " ": page, Home: -region.scrollHeight, End: region.scrollHeight }[key];
    region.scrollBy({ top: by });
    return true;
  }

  function onEscape(target) {
    const menu = closeMenus();
    if (menu) return focusOn(menu.querySelector("summary"));
    if (root.dataset.drawer === "open") { showNavigation(false); return true; }
    if (target.matches?.(FIELDS)) { target.blur(); return true; }
    return false;
  }

  const KEYS = {
    "/": () => focusOn(find("#global-search") || find("#searchbar")),
    f: toFilters,
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: (target) => !target.closest(".menu, dialog") && step(1),
    ArrowUp: (target) => !target.closest(".menu, dialog") && step(-1),
    Enter: openRow,
    c: copyRow,
    "?": openHelp,
    PageDown: () => turnPage("PageDown"),
    PageUp: () => turnPage("PageUp"),
    Home: () => turnPage("Home"),
    End: () => turnPage("End"),
    " ": () => turnPage(" "),
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (find("dialog[open]")) return;
    const target = event.target;
    if (event.key === "Escape") { if (onEscape(target)) event.preventDefault(); return; }
    if (target.matches?.(FIELDS)) return;
    const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
    if (act && act(target)) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const target = event.target;
    closeMenus(target);
    const copying = target.closest("[data-copy]");
    if (copying) { event.preventDefault(); copy(textOf(copying), copying); return; }
    if (target.closest("[data-theme-toggle]")) nextTheme();
    else if (target.closest("[data-help]")) openHelp();
    else if (target.closest("[data-navigation]")) showNavigation(!isNavigationShown());
    else if (target.closest("[data-close='navigation']")) showNavigation(false);
    else if (target.matches("dialog")) closeOutside(target, event);
  });

  // The click on a dialog's backdrop has the dialog itself as its target.
  function closeOutside(dialog, event) {
    const box = dialog.getBoundingClientRect();
    const isInside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!isInside && dialog.hasAttribute("data-light-dismiss")) dialog.close();
  }

  // A row that is reached with the mouse or Tab is the current one.
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest?.("tr");
    if (!row || !row.closest(LISTS) || !rows().includes(row)) return;
    for (const other of rows()) other.toggleAttribute("aria-current", false);
    row.setAttribute("aria-current", "true");
  });

  // A form that was sent a moment ago is not sent again by a second press.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (performance.now() - Number(form.dataset.sentAt || -SENT_MS) < SENT_MS) event.preventDefault();
    else form.dataset.sentAt = String(performance.now());
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent-at]")) delete form.dataset.sentAt;
  });

  matchMedia("(max-width: 1023px)").addEventListener("change", () => {
    root.dataset.drawer = "";
    find("main").inert = false;
    tellNavigation();
  });
  tellTheme();
  tellNavigation();
  (find("form [aria-invalid=true]") || find("form[data-focus-first] :is(input:not([type=hidden]), select, textarea)"))?.focus();
  find(".navigation [aria-current]")?.scrollIntoView({ block: "nearest" });
}
