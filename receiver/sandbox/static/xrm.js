// A small stand-in of the client API for the commands on a form: Xrm.Navigation, the form context, and who calls them.
"use strict";

const form = document.getElementById("row-form");

/** Shows a question or a message, and resolves with whether it was confirmed. */
function dialog(title, text, labels) {
  return new Promise((resolve) => {
    const shown = document.createElement("dialog");
    const heading = document.createElement("h2");
    const message = document.createElement("p");
    heading.textContent = title;
    message.textContent = text;
    shown.append(heading, message);
    for (const [label, value] of labels) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "command";
      button.textContent = label;
      button.addEventListener("click", () => shown.close(value));
      shown.append(button);
    }
    shown.addEventListener("close", () => { shown.remove(); resolve(shown.returnValue === "confirmed"); });
    document.body.append(shown);
    shown.showModal();
  });
}

window.Xrm = {
  Navigation: {
    openUrl(url) { window.open(url, "_blank", "noopener"); },
    async openErrorDialog(options) { await dialog("Error", options.message, [["OK", "confirmed"]]); },
    async openConfirmDialog(strings) {
      const labels = [[strings.confirmButtonLabel || "OK", "confirmed"], [strings.cancelButtonLabel || "Cancel", ""]];
      return { confirmed: await dialog(strings.title || "", strings.text, labels) };
    },
  },
};

// As on a real form: the id has braces and capitals, and is empty until the row was saved.
let rowId = form.dataset.row ? `{${form.dataset.row.toUpperCase()}}` : "";

const formContext = {
  data: {
    entity: { getId: () => rowId, getEntityName: () => form.dataset.table },
    async save() {
      if (!form.reportValidity()) throw { message: "A required field is empty." };
      const answer = await fetch(location.href, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok) throw { message: (page.querySelector("#problem p") || page.body).textContent.trim() };
      rowId = `{${page.getElementById("row-form").dataset.row.toUpperCase()}}`;
      setTimeout(() => location.replace(answer.url), 0);
    },
  },
};

const PARAMETERS = { 2: () => form.dataset.table, 4: () => rowId, 5: () => formContext };

function value(parameter) {
  return PARAMETERS[parameter.type] ? PARAMETERS[parameter.type]() : parameter.value;
}

for (const command of document.querySelectorAll("[data-function]")) {
  command.addEventListener("click", () => {
    const parts = command.dataset.function.split(".");
    const called = parts.reduce((found, name) => found && found[name], globalThis);
    if (typeof called !== "function") return Xrm.Navigation.openErrorDialog({ message: `${parts.join(".")} is no function.` });
    return called(...JSON.parse(command.dataset.parameters).map(value));
  });
}
