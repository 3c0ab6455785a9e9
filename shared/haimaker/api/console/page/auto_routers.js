/* The auto-routers that are kept in the store: shown, made, changed and deleted. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { form } from "./dialogs.js";
import { empty, field, searchField } from "./parts.js";

const SHOWN = 25;
const EXAMPLE = '[{"name": "code", "model": "openai/gpt-4.1", "keywords": ["python"]}]';

export function autoRouters(app, routers) {
  const path = (router, action) => `/auto-router/${encodeURIComponent(router.auto_router_id)}/${action}`;
  let text = "";
  let shown = SHOWN;
  const nameOf = (router) => router.router_name ?? router.auto_router_id;

  function done(words) {
    return () => {
      app.tell(words);
      routers.load();
    };
  }

  function edit(router) {
    const known = router ?? { rules: [] };
    form(app, {
      title: router ? `Change ${nameOf(router)}` : "New auto-router",
      verb: router ? "Save" : "Create",
      content: html`<p>The first rule that fits a request decides; docs/routing.md has all that rules can go by. A key gets a router by its <code>auto_router_id</code>.</p>
        ${field("Name", html`<input name="router_name" required maxlength="200" autocomplete="off" .value=${known.router_name ?? ""}>`)}
        ${field("Rules, as JSON", html`<textarea name="rules" rows="10" spellcheck="false" placeholder=${EXAMPLE} .value=${router ? JSON.stringify(known.rules, null, 2) : ""}></textarea>`)}
        ${field("Model if none fits", html`<input name="default_model" list="names" autocomplete="off" spellcheck="false" .value=${known.default_model ?? ""}>`)}
        ${field("Embedding model", html`<input name="embedding_model" list="names" autocomplete="off" spellcheck="false" .value=${known.embedding_model ?? ""}>`, "Of rules that go by examples.")}`,
      submit: async (given) => {
        const body = { router_name: given.get("router_name").trim(), rules: rulesOf(given.get("rules")) };
        for (const name of ["default_model", "embedding_model"]) body[name] = given.get(name).trim() || null;
        await app.api.post(router ? path(router, "update") : "/auto-router/new", body);
        return done(router ? "The auto-router was changed." : "The auto-router was made.");
      },
    });
  }

  function remove(router) {
    form(app, {
      title: `Delete ${nameOf(router)}?`,
      verb: "Delete",
      danger: true,
      content: html`<p>Keys that have it go by the router of gateway.toml from then on, if there is one.</p>`,
      submit: async () => {
        await app.api.post(path(router, "delete"), {});
        return done("The auto-router was deleted.");
      },
    });
  }

  const actions = (router) => html`<td class="end">
    <button type="button" class="small" aria-label="Change ${nameOf(router)}" @click=${() => edit(router)}>Change</button>
    <button type="button" class="small danger" aria-label="Delete ${nameOf(router)}" @click=${() => remove(router)}>Delete</button></td>`;

  const fits = (router) => `${nameOf(router)} ${router.auto_router_id}`.toLowerCase().includes(text.trim().toLowerCase());

  function search(given) {
    [text, shown] = [given, SHOWN];
    app.draw();
  }

  function table(all) {
    if (!all.length) return empty("There are no auto-routers in the store.", "A key gets one by its auto_router_id. Those of gateway.toml are not listed.");
    const found = all.filter(fits);
    return html`${all.length > SHOWN ? html`<div class="filters">${searchField("Search auto-routers", text, search)}</div>` : nothing}
    ${found.length ? list(found) : empty("No auto-router fits.", "Try a part of its name or of its id.")}`;
  }

  const list = (found) => html`<table class="cards">
      <thead><tr><th>Auto-router</th><th>Rules, the first that fits counts</th><th>Else</th>${app.mayChange ? html`<th><span class="sr">Actions</span></th>` : nothing}</tr></thead>
      <tbody>${found.slice(0, shown).map((router) => html`<tr>
        <td class="title">${router.router_name ?? "unnamed"} <small><code>${router.auto_router_id}</code></small></td>
        <td data-label="Rules"><span class="limits">${router.rules.map((rule) => html`<span>${rule.name ?? rule.id} → <code>${rule.model}</code></span>`)}</span></td>
        <td data-label="Else"><code>${router.default_model ?? "–"}</code></td>
        ${app.mayChange ? actions(router) : nothing}
      </tr>`)}</tbody>
    </table>
    ${found.length > shown ? html`<p class="more"><button type="button" @click=${() => { shown += SHOWN; app.draw(); }}>Show more</button> <span class="muted">${shown} of ${found.length}</span></p>` : nothing}`;

  const show = () => html`<section class="panel">
    <header><h2>Auto-routers</h2>${app.mayChange ? html`<button type="button" @click=${() => edit()}>New auto-router</button>` : nothing}</header>
    ${routers.show(table)}</section>`;

  return { show };
}

/** Throws SyntaxError for what is no list. */
function rulesOf(text) {
  let found;
  try {
    found = JSON.parse(text.trim() || "[]");
  } catch (error) {
    throw new SyntaxError(`The rules are not JSON: ${error.message}`);
  }
  if (!Array.isArray(found)) throw new SyntaxError(`The rules are a list, such as ${EXAMPLE}.`);
  return found;
}
