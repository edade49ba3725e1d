// @ts-check
// The command “Business Central” on forms of Dynamics 365 Sales: opens the row in the receiver, in a new tab.
// A web resource: `receiver button install` and `receiver solution build` fill in the address and change nothing else.
"use strict";

/**
 * What we use of a form's context (the parameter PrimaryControl).
 * @typedef {object} FormContext
 * @property {{ entity: { getId(): string, getEntityName(): string }, save(): PromiseLike<unknown> }} data
 */

/**
 * What we use of the client API.
 * @typedef {object} Navigation
 * @property {(url: string) => void} openUrl
 * @property {(options: { message: string, details?: string }) => PromiseLike<unknown>} openErrorDialog
 * @property {(strings: { title: string, text: string, confirmButtonLabel: string }) =>
 *   PromiseLike<{ confirmed: boolean }>} openConfirmDialog
 */

var Rcv = (function () {
  /** The receiver's public address. */
  const ADDRESS = "RECEIVER_PUBLIC_URL";
  const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

  /** @returns {Navigation} */
  function navigation() {
    // @ts-ignore: the page brings Xrm
    return Xrm.Navigation;
  }

  /**
   * The row's id as the receiver takes it, without braces, in lower case; empty while the row was never saved.
   * @param {FormContext} form
   */
  function idOf(form) {
    return (form.data.entity.getId() || "").replace(/[{}]/g, "").toLowerCase();
  }

  /**
   * @param {string} table
   * @param {string} id
   */
  function urlOf(table, id) {
    return `${ADDRESS.replace(/\/+$/, "")}/open/${encodeURIComponent(table)}/${id}`;
  }

  /**
   * A new row has no id before it is saved. Whether it may be opened now.
   * @param {FormContext} form
   */
  async function savedFirst(form) {
    const asked = await navigation().openConfirmDialog({
      title: "Business Central",
      text: "This row is not saved yet. Save it, and open it in Business Central?",
      confirmButtonLabel: "Save and open",
    });
    if (!asked.confirmed) return false;
    try {
      await form.data.save();
    } catch (error) {
      await refuse("The row was not saved, so it was not opened in Business Central.", error);
      return false;
    }
    if (idOf(form)) return true;
    await refuse("The row was not saved, so it was not opened in Business Central.", null);
    return false;
  }

  /**
   * @param {string} message
   * @param {any} error
   */
  function refuse(message, error) {
    const said = error && error.message ? `${message} ${error.message}` : message;
    return navigation().openErrorDialog({ message: said });
  }

  /**
   * Open the form's row in the receiver; a row that was never saved is saved first. Says what is wrong, never throws.
   * @param {FormContext} primaryControl
   */
  async function open(primaryControl) {
    try {
      if (!idOf(primaryControl) && !(await savedFirst(primaryControl))) return;
      const id = idOf(primaryControl);
      if (!GUID.test(id)) throw new Error(`“${id}” is not a row's id.`);
      navigation().openUrl(urlOf(primaryControl.data.entity.getEntityName(), id));
    } catch (error) {
      await refuse("Business Central could not be opened.", error);
    }
  }

  return { open };
})();
