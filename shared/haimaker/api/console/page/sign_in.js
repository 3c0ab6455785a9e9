/* The page before anybody is signed in. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ADDRESS } from "./api.js";
import { field } from "./parts.js";

/** Where people sign in by an identity provider, and its name; empty where they can't. */
export const [SIGN_IN, PROVIDER] = ["sign-in", "sign-in-by"].map((name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "");

export function signIn(app, why) {
  let error = why;
  let busy = false;

  async function submit(event) {
    event.preventDefault();
    const key = new FormData(event.target).get("key").trim();
    error = key && !/[^\x21-\x7e]/.test(key) ? "" : "This is not a key.";
    busy = !error;
    app.draw();
    if (error) return;
    try {
      await app.signIn(key);
    } catch (failure) {
      error = failure.message;
    }
    busy = false;
    app.draw();
  }

  const show = () => html`<main class="sign-in">
    <form @submit=${submit}>
      <svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8"></rect><path d="M10 7v18M22 7v18M10 16h12"></path></svg>
      <h1>haimaker console</h1>
      <p>Sign in with a key of the gateway at <b>${ADDRESS.replace(/^https?:\/\//, "")}</b>. An administrator's key sees everything, any
        other key its own part. A gateway on your own machine printed one when it started.</p>
      ${SIGN_IN ? html`<a class="button primary" href=${SIGN_IN}>Sign in with ${PROVIDER}</a><p class="or">or with a key</p>` : nothing}
      ${field("Key", html`<input name="key" type="password" autocomplete="off" spellcheck="false" autofocus required placeholder="sk-hm-…">`)}
      ${error ? html`<p class="notice bad" role="alert">${error}</p>` : nothing}
      <button class=${SIGN_IN ? "" : "primary"} ?disabled=${busy}>${busy ? "Signing in …" : "Sign in"}</button>
      <small>The key stays in this tab, and is forgotten when you close it or sign out.</small>
    </form>
  </main>`;
  return { show };
}
