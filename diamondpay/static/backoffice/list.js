// The bar of filters and the choice of columns. Everything here makes quicker what the forms do without it.
"use strict";
{
  const closest = (event, selector) => event.target.closest?.(selector);

  // --- A range: presets and typed ends exclude each other -----------------------------------------------------------
  function onMomentsChange(target) {
    const box = target.closest(".menu > div, fieldset");
    const ends = box?.querySelectorAll("[data-moments] input:not([data-minutes])");
    if (!ends) return;
    if (target.type === "radio" && target.closest(".presets")) for (const end of ends) end.value = "";
    else if (target.closest("[data-moments]") && !target.matches("[data-minutes]")) {
      for (const preset of box.querySelectorAll(".presets input")) if ([...ends].some((end) => end.value)) preset.checked = false;
    }
    if (target.matches("[data-minutes]")) for (const end of ends) setPrecision(end, target.checked);
  }

  function setPrecision(end, isMinute) {
    const value = end.value;
    end.type = isMinute ? "datetime-local" : "date";
    if (value) end.value = isMinute ? `${value.slice(0, 10)}T00:00` : value.slice(0, 10);
  }

  for (const label of document.querySelectorAll(".minutes")) label.hidden = false;
  // One precision for both ends: a day beside a minute could not be shown by one kind of field.
  for (const box of document.querySelectorAll("[data-moments]")) {
    if (!box.querySelector("[data-minutes]").checked) continue;
    for (const end of box.querySelectorAll("input:not([data-minutes])")) {
      const value = end.getAttribute("value") || "";
      end.type = "datetime-local";
      end.value = value.length === 10 ? `${value}T00:00` : value.slice(0, 16);
    }
  }

  // --- Looking up a merchant ------------------------------------------------------------------------------------------
  const optionsOf = (box) => [...box.querySelectorAll(".ticks input")];

  function take(box, option) {
    option.checked = true;
    const kept = box.querySelector(".chosen");
    for (const other of kept.querySelectorAll("input")) if (other.value === option.value && other !== option) other.closest("li").remove();
    kept.append(option.closest("li"));
    const field = box.querySelector("[data-lookup]");
    field.value = "";
    box.querySelector(".found").replaceChildren();
    field.focus();
  }

  function onLookupKey(event, box) {
    const all = optionsOf(box);
    const at = all.indexOf(event.target);
    const field = box.querySelector("[data-lookup]");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? field : all[Math.min(next, all.length - 1)])?.focus();
      event.preventDefault();
    } else if (event.key === "Enter" && event.target === field && field.value.trim()) {
      const first = box.querySelector(".found input");
      if (first) take(box, first);
      // The form goes on with what was taken, or with what was typed where nothing was offered yet.
    } else if (event.key === "Enter" && at >= 0) {
      event.target.checked = true;
    }
  }

  // --- Columns: their order is the order of the lines ----------------------------------------------------------------
  function move(button) {
    const line = button.closest("li");
    const other = button.dataset.move === "-1" ? line.previousElementSibling : line.nextElementSibling;
    if (!other) return;
    if (button.dataset.move === "-1") other.before(line);
    else other.after(line);
    button.focus();
  }
  for (const moves of document.querySelectorAll(".moves")) moves.hidden = false;
  for (const fixed of document.querySelectorAll("[data-fixed]")) fixed.addEventListener("click", (event) => event.preventDefault());

  // --- A menu that opens gives the focus to its first field; one at the edge of the window opens towards the inside ----
  function onToggle(event) {
    const menu = event.target;
    if (!menu.matches?.("details.menu") || !menu.open) return;
    const box = menu.querySelector("summary + *");
    menu.classList.remove("end-side");
    const isOut = box.getBoundingClientRect().right > document.documentElement.clientWidth - 8;
    if (isOut) menu.classList.add("end");
    (box.querySelector("[data-lookup]") || box.querySelector("input:checked") || box.querySelector("input:not([type=hidden]), a, button"))?.focus({ preventScroll: true });
  }

  document.addEventListener("toggle", onToggle, true);
  document.addEventListener("change", (event) => {
    const box = closest(event, ".lookup");
    if (box && closest(event, ".found") && event.target.checked) take(box, event.target);
    onMomentsChange(event.target);
  });
  document.addEventListener("keydown", (event) => {
    const box = closest(event, ".lookup");
    if (box) onLookupKey(event, box);
    else if (closest(event, ".filter, .columns-menu") && (event.key === "ArrowDown" || event.key === "ArrowUp") && event.target.type === "checkbox") {
      const all = [...event.target.closest("ul").querySelectorAll("input")];
      all[all.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
      event.preventDefault();
    } else if (event.key === "Enter" && event.target.matches?.(".filter input[type=checkbox], .filter input[type=radio]")) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  });
  document.addEventListener("click", (event) => {
    const button = closest(event, "[data-move]");
    if (button) move(button);
  });

  // What is empty stays out of the address.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "get") return;
    const empty = [...event.target.elements].filter((field) => field.name && !field.disabled && field.value === "");
    for (const field of empty) field.disabled = true;
    setTimeout(() => { for (const field of empty) field.disabled = false; }, 0);
  });
}
