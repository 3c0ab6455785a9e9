/* Questions that are asked over a view. The gateway's refusal is shown where it was caused. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";

/** A form whose `submit`, given a FormData, changes something; it closes itself when that is done. */
export function form(app, { title, content, verb, danger = false, submit }) {
  let error = null;
  let busy = false;

  async function send(event) {
    event.preventDefault();
    const given = new FormData(event.target);
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
  }

  app.ask(() => html`<form @submit=${send}>
    <h2 id="asked">${title}</h2>
    ${content}
    ${error ? html`<p class="notice bad" role="alert">${error.message}</p>` : nothing}
    <footer><button type="button" @click=${() => app.close()}>Cancel</button>
      <button class="primary ${danger ? "danger" : ""}" ?disabled=${busy}>${verb}</button></footer>
  </form>`);
}

export function message(app, { title, content }) {
  app.ask(() => html`<div class="form"><h2 id="asked">${title}</h2>${content}<footer><button type="button" class="primary" @click=${() => app.close()}>Done</button></footer></div>`, { stays: true });
}
