// What htmx leaves open: no polling while nobody looks, and a switch that was not saved goes back.
(function () {
  "use strict";

  function skipWhileHidden(event) {
    if (document.hidden && event.target.hasAttribute && event.target.hasAttribute("data-polls")) event.preventDefault();
  }

  function sayNotSaved(event) {
    var form = event.target.closest && event.target.closest("form.control");
    if (!form) return;
    form.reset();
    var notice = document.createElement("div");
    notice.className = "notice danger";
    notice.setAttribute("role", "alert");
    var text = document.createElement("p");
    text.textContent = "The receiver cannot be reached, so nothing was changed. Try again in a moment.";
    notice.append(text);
    document.getElementById("notices").replaceChildren(notice);
  }

  // the names of htmx 4, then those of htmx 2
  ["htmx:before:request", "htmx:beforeRequest"].forEach(function (name) {
    document.addEventListener(name, skipWhileHidden);
  });
  ["htmx:error", "htmx:sendError"].forEach(function (name) {
    document.addEventListener(name, sayNotSaved);
  });
})();
