/* The console: who is signed in, which view is open, and drawing them. A key is kept in this tab's sessionStorage only; who signed in by
   an identity provider has a cookie that this page can't read. */

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { Api } from "./api.js";
import { audit } from "./audit.js";
import { batches } from "./batches.js";
import { keys } from "./keys.js";
import { models } from "./models.js";
import { payers } from "./payers.js";
import { playground } from "./playground.js";
import { providers } from "./providers.js";
import { requests } from "./requests.js";
import { routing } from "./routing.js";
import { SIGN_IN, signIn } from "./sign_in.js";
import { spend } from "./spend.js";

const KEY = "haimaker.key";
const GENERATES = "haimaker.playground";
const CONVERSATION = "haimaker.conversation";
const TOLD_MS = 4_000;
/** A longer text stays for longer. */
const LETTER_MS = 70;

/** Views by their name in the address, some for administrators only. Each is made once per session; it has `open(params)` and `show()`. */
const VIEWS = {
  spend: ["Spend", spend],
  keys: ["Keys", keys],
  payers: ["Teams", payers, "admin"],
  requests: ["Requests", requests],
  batches: ["Batches", batches],
  providers: ["Providers", providers, "admin"],
  routing: ["Routing", routing, "admin"],
  audit: ["Changes", audit, "admin"],
  models: ["Models", models],
  playground: ["Playground", playground],
};

class App {
  api = null;
  /** Asks for what generates: with a key, since no session may. */
  generating = null;
  /** Whether who is here signed in by an identity provider. */
  inSession = false;
  /** What /key/info tells of the key. */
  me = null;
  /** The chart, and the day in it, that is pointed at. */
  pointed = null;
  #views = {};
  #view = null;
  #dialog = null;
  /** The one that the browser was told to show: it may have closed it since, by Escape, and says so later than the next drawing. */
  #shown = null;
  #stays = false;
  #told = "";
  #drawn = false;
  /** What had the focus when a dialog was opened. */
  #opener = null;

  /** Sees what all keys did. */
  get isAdmin() {
    return this.mayChange || this.me?.role === "viewer";
  }

  get mayChange() {
    return this.me?.role === "admin";
  }

  /** Administers its team: that one's ordinary keys, and what they spend. */
  get leadsTeam() {
    return this.me?.role === "team_admin";
  }

  get listsKeys() {
    return this.isAdmin || this.leadsTeam;
  }

  mayChangeKey(key) {
    return this.mayChange || (this.leadsTeam && key.role === "user");
  }

  /** Throws ApiError if the key is none. */
  async signIn(key) {
    const api = Api.withKey(key);
    this.me = (await api.get("/key/info")).info;
    this.generating = api;
    sessionStorage.setItem(KEY, key);
    this.#enter(api);
  }

  /** Whether the browser has a session. Throws ApiError. */
  async #resume() {
    const { person, csrf_token } = await Api.inSession("").get("/sign-in/session");
    if (!person) return false;
    this.me = person;
    const key = sessionStorage.getItem(GENERATES);
    this.generating = key && Api.withKey(key);
    this.inSession = true;
    this.#enter(Api.inSession(csrf_token));
    return true;
  }

  /** The key with which who is signed in by an identity provider generates. Throws ApiError if it is none. */
  async generateWith(key) {
    const api = Api.withKey(key);
    await api.get("/key/info");
    sessionStorage.setItem(GENERATES, key);
    this.generating = api;
    this.draw();
  }

  #enter(api) {
    this.api = api;
    const open = Object.entries(VIEWS).filter(([, [, , forWhom]]) => this.isAdmin || forWhom !== "admin");
    this.#views = Object.fromEntries(open.map(([name, [title, make]]) => [name, { title, ...make(this) }]));
    this.follow();
  }

  #part() {
    if (this.mayChange) return "administrator";
    if (this.leadsTeam) return `administers ${this.me.team_id}`;
    return this.isAdmin ? "viewer" : "its own part";
  }

  async leave() {
    if (this.inSession) await this.api.post("/sign-in/out", {}).catch(() => {}); // it has ended, or does so by itself
    this.signOut();
  }

  signOut(why = "") {
    for (const name of [KEY, GENERATES, CONVERSATION]) sessionStorage.removeItem(name);
    Object.assign(this, { api: null, generating: null, inSession: false, me: null });
    this.#views = {};
    this.#dialog = null;
    this.#view = signIn(this, why);
    this.draw();
  }

  /** Opens the view that the address names. */
  follow() {
    if (!this.api) return;
    const [name, query] = location.hash.replace(/^#\/?/, "").split("?");
    this.#view = this.#views[name] ?? Object.values(this.#views)[0];
    this.#dialog = null;
    this.#view.open(new URLSearchParams(query));
    document.title = `${this.#view.title} · haimaker console`;
    this.draw();
  }

  async start() {
    const key = sessionStorage.getItem(KEY);
    try {
      if (key) await this.signIn(key);
      else if (!SIGN_IN || !(await this.#resume())) this.signOut();
    } catch (error) {
      this.signOut(error.message);
      if (key && error.status !== 401) sessionStorage.setItem(KEY, key); // to be tried again when the page is loaded anew
    }
  }

  /** A key that is no longer one ends the session. */
  failed(error) {
    if (error.status === 401) this.signOut(error.message);
  }

  tell(text) {
    this.#told = text;
    this.draw();
    setTimeout(() => {
      if (this.#told === text) this.#told = "";
      this.draw();
    }, Math.max(TOLD_MS, text.length * LETTER_MS));
  }

  /** Shows `content`, a function, in a dialog, until `close`; one that `stays` is not closed by Escape. */
  ask(content, { stays = false } = {}) {
    this.#opener ??= document.activeElement;
    this.#dialog = content;
    this.#stays = stays;
    this.draw();
  }

  close() {
    this.#dialog = null;
    document.querySelector("dialog")?.close(); // so that the browser gives the focus back to what had it
    this.draw();
  }

  /** Where what had opened the dialog is gone, such as the row of what was deleted, the view's title gets the focus. */
  #giveBackFocus() {
    const now = document.activeElement;
    if (now !== this.#opener && now !== document.body) this.#opener = null;
    else if (!this.#opener.isConnected) {
      document.querySelector("h1")?.focus({ preventScroll: true });
      this.#opener = null;
    }
  }

  draw() {
    if (this.#drawn) return;
    this.#drawn = true;
    queueMicrotask(() => {
      this.#drawn = false;
      render(this.#page(), document.getElementById("app"));
      const dialog = document.querySelector("dialog");
      if (dialog && !dialog.open && this.#shown !== this.#dialog) dialog.showModal();
      this.#shown = this.#dialog;
      if (!dialog && this.#opener) this.#giveBackFocus();
    });
  }

  #page() {
    const told = html`<div class="told" role="status">${this.#told ? html`<span>${this.#told}</span>` : nothing}</div>`;
    if (!this.api) return html`${this.#view.show()}${told}`;
    return html`
      <a class="skip" href="#main" @click=${skip}>Skip to the content</a>
      <aside>
        <div class="brand"><svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8"></rect><path d="M10 7v18M22 7v18M10 16h12"></path></svg>haimaker</div>
        <nav aria-label="Views">${Object.entries(this.#views).map(([name, view]) => this.#link(name, view))}</nav>
        <div class="session">
          <div><strong>${this.me.key_alias ?? this.me.key_name}</strong><small>${this.#part()}</small></div>
          <button type="button" class="quiet" @click=${() => this.leave()}>Sign out</button>
        </div>
      </aside>
      <main id="main" tabindex="-1">${this.#view.show()}</main>
      ${told}
      ${this.#dialog ? html`<dialog aria-labelledby="asked" @close=${(event) => event.target.open || this.close()} @cancel=${(event) => this.#stays && event.preventDefault()}>${this.#dialog()}</dialog>` : nothing}`;
  }

  #link(name, view) {
    return html`<a href="#/${name}" aria-current=${view === this.#view ? "page" : "false"}>${view.title}</a>`;
  }
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

const app = new App();
addEventListener("hashchange", () => app.follow());
app.start();
