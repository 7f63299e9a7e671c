// The choice of a language, and copying. Without this file the page still reads as a whole.
"use strict";
{
  // One language at a time, the same in every group, kept for the next visit.
  const choose = (language) => {
    for (const program of document.querySelectorAll("[data-program]")) program.hidden = program.dataset.program !== language;
    for (const tab of document.querySelectorAll("[data-language]")) tab.setAttribute("aria-pressed", tab.dataset.language === language);
    localStorage.setItem("docs-language", language);
  };
  const tabs = Array.from(document.querySelectorAll("[data-language]"));
  for (const group of document.querySelectorAll(".languages")) group.hidden = false;
  for (const tab of tabs) tab.addEventListener("click", () => choose(tab.dataset.language));
  const kept = localStorage.getItem("docs-language");
  choose(tabs.some((tab) => tab.dataset.language === kept) ? kept : tabs[0].dataset.language);

  for (const button of document.querySelectorAll("[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      button.textContent = button.dataset.copied;
    });
  }
}
