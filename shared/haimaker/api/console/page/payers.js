/* Who pays besides keys: teams and end users, with budgets and limits of their own. For administrators. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { budget, filters, limitsOf, listed, state } from "./account_parts.js";
import { form } from "./dialogs.js";
import { LIMITS, MODELS, changes, groups, labels } from "./limits.js";
import { Loaded, choice, empty, goTo, heading, pager } from "./parts.js";

const KINDS = {
  team: {
    title: "Teams", id: "team_id", path: "/team", list: "teams",
    fields: { team_alias: ["Name", "text", "for people"], ...LIMITS, ...MODELS },
    label: (team) => team.team_alias ?? team.team_id,
    hint: "A key with a team is charged to both; either's limit holds.",
    lost: "Its keys are deleted with it. Records stay.",
    one: (id) => ({ team_id: id }), several: (id) => ({ team_ids: [id] }),
  },
  user: {
    title: "End users", id: "user_id", path: "/customer", list: "customers",
    fields: { alias: ["Name", "text", "for people"], ...LIMITS },
    label: (user) => user.alias ?? user.user_id,
    hint: "Named by the field user of a request, whichever key asks.",
    lost: "Records stay. Without an account the user is limited by the gateway's default, if there is one.",
    one: (id) => ({ user_ids: [id] }), several: (id) => ({ user_ids: [id] }),
  },
};

const PAGE = 50;
const STATES = ["active", "blocked"];

export function payers(app) {
  let wanted = {};
  let name = "team";
  const list = new Loaded(app, page);

  async function page() {
    const of = name;
    const { kind: _, ...conditions } = wanted;
    const answer = await app.api.get(`${KINDS[of].path}/list`, listed(conditions, PAGE));
    return { name: of, found: answer[KINDS[of].list], total: answer.total_count, page: answer.current_page, pages: answer.total_pages };
  }

  const ask = (changed) => goTo("payers", { ...wanted, page: "", ...changed }, () => list.load());

  function create() {
    const kind = KINDS[name];
    const fields = { [kind.id]: ["Id", "text", "as requests or keys name it"], ...kind.fields };
    form(app, {
      title: `New ${name}`,
      labels: labels(fields),
      content: groups(fields),
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
      labels: labels(kind.fields),
      content: groups(kind.fields, account),
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
      <button type="button" class="small" aria-label="Edit ${kind.label(account)}" @click=${() => edit(kind, account)}>Edit</button>
      <button type="button" class="small" aria-label="${account.blocked ? "Unblock" : "Block"} ${kind.label(account)}" @click=${() => block(kind, account)}>${account.blocked ? "Unblock" : "Block"}</button>
      <button type="button" class="small danger" aria-label="Delete ${kind.label(account)}" @click=${() => remove(kind, account)}>Delete</button>
    </div>` : nothing}</td>
  </tr>`;

  function table(shown) {
    const { name: of, found } = shown;
    const kind = KINDS[of];
    if (!found.length && (wanted.search || wanted.status || shown.page > 1)) return empty(`No ${of === "team" ? "team" : "end user"} fits.`, "Try a part of the name or of the id.");
    if (!found.length) return empty(`There are no ${kind.title.toLowerCase()} yet.`, kind.hint);
    return html`<table class="cards">
      <thead><tr><th>${kind.title}</th><th>Spend</th><th>Limits</th><th><span class="sr">Actions</span></th></tr></thead>
      <tbody>${found.map((account) => line(kind, of, account))}</tbody>
    </table>
    ${pager(shown, PAGE, kind.title.toLowerCase(), (number) => ask({ page: number }))}`;
  }

  const actions = () => html`
    ${choice("Kind", Object.entries(KINDS).map(([value, kind]) => [value, kind.title]), name, (kind) => goTo("payers", { kind }, () => list.load()))}
    ${app.mayChange ? html`<button type="button" class="primary" @click=${create}>New ${name}</button>` : nothing}`;

  const show = () => html`${heading("Teams and users", KINDS[name].hint, actions())}${filters(`Search ${KINDS[name].title.toLowerCase()}`, wanted, STATES, ask)}${list.show(table)}`;

  function open(params) {
    wanted = Object.fromEntries(params);
    if (name !== (wanted.kind in KINDS ? wanted.kind : "team")) list.data = null;
    name = wanted.kind in KINDS ? wanted.kind : "team";
    list.load();
  }

  return { show, open };
}
