/* Questions that are asked over a view. The gateway's refusal is shown where it was caused. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";

/** A form whose `submit`, given a FormData, changes something; it closes itself when that is done. `labels` are of its fields, by the
    gateway's names. */
export function form(app, { title, content, verb, danger = false, labels = {}, submit }) {
  let error = null;
  let busy = false;

  async function send(event) {
    event.preventDefault();
    const given = new FormData(event.target);
    event.target.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
    [busy, error] = [true, null];
    app.draw();
    try {
      const following = await submit(given);
      app.close();
      following?.();
    } catch (failure) {
      error = failure;
      app.failed(failure);
    }
    busy = false;
    app.draw();
    if (error?.param) queueMicrotask(() => point(event.target, error.param));
  }

  app.ask(() => html`<form @submit=${send}>
    <h2 id="asked">${title}</h2>
    ${typeof content === "function" ? content() : content}
    ${error ? html`<p class="notice bad" role="alert">${inWords(error, labels)}</p>` : nothing}
    <footer><button type="button" @click=${() => app.close()}>Cancel</button>
      <button class="primary ${danger ? "danger" : ""}" ?disabled=${busy}>${verb}</button></footer>
  </form>`);
}

const fieldOf = (param) => /^\w*/.exec(param)[0];

/** The gateway's words, with the field's label for its name. Pure. */
export function inWords({ message, param }, labels) {
  const name = fieldOf(param ?? "");
  return name in labels ? message.replace(`'${param}'`, `“${labels[name]}${param.slice(name.length)}”`) : message;
}

/** Goes to the field that the gateway refused. */
function point(form, param) {
  const found = form.elements.namedItem(fieldOf(param));
  if (!found) return;
  found.setAttribute("aria-invalid", "true");
  const group = found.closest("details");
  if (group) group.open = true;
  found.focus();
}

export function message(app, { title, content }) {
  app.ask(() => html`<div class="form"><h2 id="asked">${title}</h2>${content}<footer><button type="button" class="primary" @click=${() => app.close()}>Done</button></footer></div>`, { stays: true });
}
