// What htmx leaves open: a page that nobody looks at asks nothing, one that stays as it is asks seldom; a choice is
// saved by its button, which is there once it differs; a switch that was not saved goes back.
(function () {
  "use strict";

  var MINUTE = 60000;
  var changedAt = Date.now(), askedAt = 0;

  function isDue(now) {
    var quiet = now - changedAt;
    return now - askedAt >= (quiet < MINUTE ? 0 : quiet < 10 * MINUTE ? 5000 : 30000);
  }

  function askSeldom(event) {
    if (!event.target.hasAttribute || !event.target.hasAttribute("data-polls")) return;
    var now = Date.now();
    if (document.hidden || !isDue(now)) event.preventDefault();
    else askedAt = now;
  }

  function noteChange() {
    changedAt = Date.now();
  }

  function offerSave(event) {
    var form = event.target.closest && event.target.closest("form.control");
    if (form && event.target.tagName === "SELECT") form.classList.toggle("is-changed", event.target.value !== form.elements.seen.value);
  }

  document.documentElement.classList.add("has-script");
  document.addEventListener("change", offerSave);
  document.addEventListener("visibilitychange", noteChange);

  function sayNotSaved(event) {
    var form = event.target.closest && event.target.closest("form.control");
    if (!form) return;
    form.reset();
    form.classList.remove("is-changed");
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
    document.addEventListener(name, askSeldom);
  });
  ["htmx:after:swap", "htmx:afterSwap"].forEach(function (name) {
    document.addEventListener(name, noteChange);
  });
  ["htmx:error", "htmx:sendError"].forEach(function (name) {
    document.addEventListener(name, sayNotSaved);
  });
})();
