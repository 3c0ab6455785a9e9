/* Who pays besides keys: teams and end users, with budgets and limits of their own. For administrators. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { budget, limitsOf, state } from "./account_parts.js";
import { form } from "./dialogs.js";
import { LIMITS, MODELS, changes, inputs } from "./limits.js";
import { Loaded, choice, empty, heading } from "./parts.js";

const KINDS = {
  team: {
    title: "Teams", id: "team_id", path: "/team",
    fields: { team_alias: ["Name", "text", "for people"], ...LIMITS, ...MODELS },
    label: (team) => team.team_alias ?? team.team_id,
    hint: "A key with a team is charged to both; either's limit holds.",
    lost: "Its keys are deleted with it. Records stay.",
    one: (id) => ({ team_id: id }), several: (id) => ({ team_ids: [id] }),
  },
  user: {
    title: "End users", id: "user_id", path: "/customer",
    fields: { alias: ["Name", "text", "for people"], ...LIMITS },
    label: (user) => user.alias ?? user.user_id,
    hint: "Named by the field user of a request, whichever key asks.",
    lost: "Records stay. Without an account the user is limited by the gateway's default, if there is one.",
    one: (id) => ({ user_ids: [id] }), several: (id) => ({ user_ids: [id] }),
  },
};

export function payers(app) {
  let name = "team";
  const list = new Loaded(app, async () => ({ name, found: await app.api.get(`${KINDS[name].path}/list`) }));

  function create() {
    const kind = KINDS[name];
    const fields = { [kind.id]: ["Id", "text", "as requests or keys name it"], ...kind.fields };
    form(app, {
      title: `New ${name}`,
      content: html`<div class="fields">${inputs(fields)}</div>`,
      verb: "Create",
      submit: async (given) => {
        await app.api.post(`${kind.path}/new`, changes(fields, given));
        list.load();
      },
    });
  }

  function edit(kind, account) {
    form(app, {
      title: `Limits of ${kind.label(account)}`,
      content: html`<div class="fields">${inputs(kind.fields, account)}</div>`,
      verb: "Save",
      submit: async (given) => {
        await app.api.post(`${kind.path}/update`, { [kind.id]: account[kind.id], ...changes(kind.fields, given, account) });
        list.load();
        return () => app.tell("Saved; it holds from the next request on.");
      },
    });
  }

  function remove(kind, account) {
    form(app, {
      title: `Delete ${kind.label(account)}?`,
      content: html`<p>${kind.lost}</p>`,
      verb: "Delete",
      danger: true,
      submit: async () => {
        await app.api.post(`${kind.path}/delete`, kind.several(account[kind.id]));
        list.load();
      },
    });
  }

  async function block(kind, account) {
    try {
      await app.api.post(`${kind.path}/${account.blocked ? "unblock" : "block"}`, kind.one(account[kind.id]));
      list.load();
    } catch (error) {
      app.tell(error.message);
    }
  }

  const line = (kind, of, account) => html`<tr>
    <td class="title"><a href="#/requests?${of}=${encodeURIComponent(account[kind.id])}">${kind.label(account)}</a> ${state(account)}<br><small><code>${account[kind.id]}</code></small></td>
    <td data-label="Spend">${budget(account)}</td>
    <td data-label="Limits"><span class="limits">${limitsOf(account)}</span></td>
    <td class="end">${app.mayChange ? html`<div class="row-actions">
      <button type="button" class="small" @click=${() => edit(kind, account)}>Edit</button>
      <button type="button" class="small" @click=${() => block(kind, account)}>${account.blocked ? "Unblock" : "Block"}</button>
      <button type="button" class="small danger" @click=${() => remove(kind, account)}>Delete</button>
    </div>` : nothing}</td>
  </tr>`;

  function table({ name: of, found }) {
    const kind = KINDS[of];
    if (!found.length) return empty(`There are no ${kind.title.toLowerCase()} yet.`, kind.hint);
    return html`<table class="cards">
      <thead><tr><th>${kind.title}</th><th>Spend</th><th>Limits</th><th><span class="sr">Actions</span></th></tr></thead>
      <tbody>${found.map((account) => line(kind, of, account))}</tbody>
    </table>`;
  }

  const actions = () => html`
    ${choice("Kind", Object.entries(KINDS).map(([value, kind]) => [value, kind.title]), name, (value) => { name = value; list.load(); })}
    ${app.mayChange ? html`<button type="button" class="primary" @click=${create}>New ${name}</button>` : nothing}`;

  const show = () => html`${heading("Teams and users", KINDS[name].hint, actions())}${list.show(table)}`;

  return { show, open: () => list.load() };
}
