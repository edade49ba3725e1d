// Refreshes the panel each second; details that are open stay open.
"use strict";
const panel = document.getElementById("panel");

function newest() {
  return panel.firstElementChild ? panel.firstElementChild.dataset.newest : "";
}

async function refresh() {
  try {
    const answer = await fetch(panel.dataset.source, { cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
    if (fresh.dataset.newest === newest()) return;
    for (const open of panel.querySelectorAll("details[open]")) {
      const same = fresh.querySelector(`details[data-number="${open.dataset.number}"]`);
      if (same) same.open = true;
    }
    panel.replaceChildren(fresh);
  } catch {
    // The sandbox is being restarted; the next second tries again.
  }
}

setInterval(() => { if (!document.hidden) refresh(); }, 1000);

// A menu closes when one clicks or tabs elsewhere, or presses Escape.
for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}
