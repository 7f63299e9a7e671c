// Before anything is painted: the theme and the navigation as this browser last had them.
"use strict";
{
  const root = document.documentElement;
  const theme = localStorage.getItem("theme");
  root.dataset.theme = theme === "light" || theme === "dark" ? theme : "auto";
  if (localStorage.getItem("navigation") === "closed") root.dataset.navigation = "closed";
}
