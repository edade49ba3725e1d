// Refreshes each second what names its source: the panel, the list of answers. Details that are open stay open.
"use strict";
const refreshed = document.querySelectorAll("[data-source]");

function newest(shown) {
  return shown.firstElementChild ? shown.firstElementChild.dataset.newest : "";
}

async function refresh(shown) {
  try {
    const answer = await fetch(shown.dataset.source, { cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
    if (fresh.dataset.newest === newest(shown)) return;
    for (const open of shown.querySelectorAll("details[open]")) {
      const same = fresh.querySelector(`details[data-number="${open.dataset.number}"]`);
      if (same) same.open = true;
    }
    shown.replaceChildren(fresh);
  } catch {
    // The sandbox is being restarted; the next second tries again.
  }
}

setInterval(() => { if (!document.hidden) refreshed.forEach(refresh); }, 1000);

// A menu closes when one clicks or tabs elsewhere, or presses Escape.
for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}
