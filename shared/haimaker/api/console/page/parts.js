/* What several views are made of: what is being loaded, its states, fields, badges, code. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { count } from "./format.js";

/** What a view asked the gateway for, and how far that is. Of several questions only the last one counts. */
export class Loaded {
  data = null;
  error = null;
  loading = false;
  #turn = 0;
  #app;
  #ask;

  constructor(app, ask) {
    this.#app = app;
    this.#ask = ask;
  }

  async load() {
    const turn = ++this.#turn;
    Object.assign(this, { loading: true, error: null });
    this.#app.draw();
    const found = await this.#ask().then((data) => ({ data }), (error) => ({ error }));
    if (turn !== this.#turn) return;
    Object.assign(this, { loading: false }, found);
    if (found.error) this.#app.failed(found.error);
    this.#app.draw();
  }

  /** The data as `view` shows them; before and instead of that, what is the matter. */
  show(view) {
    if (this.error) return failure(this.error, () => this.load());
    if (this.data === null) return html`<div class="loading" role="status"><span class="sr">Loading</span><i></i><i></i><i></i></div>`;
    return html`<div class=${this.loading ? "stale" : "fresh"} aria-busy=${this.loading}>${view(this.data)}</div>`;
  }
}

export function failure(error, again) {
  return html`<div class="notice bad" role="alert">
    <p>${error.message}</p>
    ${again ? html`<button type="button" @click=${again}>Try again</button>` : nothing}
  </div>`;
}

export function empty(title, hint) {
  return html`<div class="empty"><strong>${title}</strong><p>${hint}</p></div>`;
}

export function badge(kind, text) {
  return html`<span class="badge ${kind}">${text}</span>`;
}

export function heading(title, hint, actions = nothing) {
  return html`<header class="heading">
    <div><h1 tabindex="-1">${title}</h1><p>${hint}</p></div>
    <div class="actions">${actions}</div>
  </header>`;
}

/** A choice of a few, as buttons side by side. */
export function choice(label, options, chosen, choose) {
  return html`<div class="choice" role="group" aria-label=${label}>
    ${options.map(([value, text]) => html`<button type="button" aria-pressed=${value === chosen} @click=${() => choose(value)}>${text}</button>`)}
  </div>`;
}

/** A page of a list that the gateway pages, and the ways to its neighbours; `go` opens the page of a number. */
export function pager({ found, page: number, pages, total }, size, what, go) {
  if (pages < 2) return nothing;
  return html`<p class="more">
    ${number > 1 ? html`<button type="button" @click=${() => go(number - 1)}>Earlier page</button>` : nothing}
    <span class="muted">${count((number - 1) * size + 1)} to ${count((number - 1) * size + found.length)} of ${count(total)} ${what}</span>
    ${number < pages ? html`<button type="button" @click=${() => go(number + 1)}>Next page</button>` : nothing}
  </p>`;
}

const TYPED_MS = 200;
let typed = null;

/** A listener that calls `react` with an event once nothing is typed any more. */
export const debounced = (react) => (event) => {
  clearTimeout(typed);
  typed = setTimeout(() => react(event), TYPED_MS);
};

/** A field that searches while it is typed into. */
export function searchField(label, text, search) {
  return html`<input type="search" placeholder=${label} aria-label=${label} autocomplete="off" spellcheck="false" .value=${text ?? ""} @input=${debounced((event) => search(event.target.value))}>`;
}

/** Opens a view with these conditions, which are then in its address; `same` is called where they are there already. */
export function goTo(view, conditions, same) {
  const query = new URLSearchParams(Object.entries(conditions).filter(([, value]) => value !== "" && value != null)).toString();
  const before = location.hash;
  location.hash = query ? `#/${view}?${query}` : `#/${view}`;
  if (location.hash === before) same();
}

/** Puts what a view shows into its address, without asking the gateway for all again. */
export function note(conditions) {
  const [path, query] = location.hash.split("?");
  const noted = new URLSearchParams(query);
  for (const [name, value] of Object.entries(conditions)) {
    if (value) noted.set(name, value);
    else noted.delete(name);
  }
  history.replaceState(null, "", noted.size ? `${path || "#/"}?${noted}` : path || "#/");
}

export function field(label, control, hint) {
  return html`<div class="field"><label><span>${label}</span>${control}</label>${hint ? html`<small>${hint}</small>` : nothing}</div>`;
}

/** Text to be copied. */
export function code(app, text, name) {
  return html`<div class="code">
    <pre tabindex="0" aria-label=${name}><code>${text}</code></pre>
    <button type="button" class="small" @click=${() => copy(app, text)}>Copy</button>
  </div>`;
}

export async function copy(app, text) {
  try {
    await navigator.clipboard.writeText(text);
    app.tell("Copied.");
  } catch {
    app.tell("The browser does not let the page copy; select the text instead.");
  }
}
