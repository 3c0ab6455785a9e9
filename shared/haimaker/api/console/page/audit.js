/* Who changed what, the newest first. For administrators and viewers. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { moment } from "./format.js";
import { Loaded, badge, empty, goTo, heading, searchField } from "./parts.js";

const PAGE = 50;
const TABLES = { key: "Keys", team: "Teams", user: "End users", router: "Auto-routers", credential: "Providers' keys", session: "Sessions", batch: "Batches" };
const KINDS = { created: "good", updated: "info", deleted: "bad" };

export function audit(app) {
  let wanted = {};
  const list = new Loaded(app, () => more({ events: [], cursor: null }));

  async function more(found) {
    const page = await app.api.get("/audit", { ...wanted, search: wanted.search?.trim(), limit: PAGE, cursor: found.cursor });
    return { events: [...found.events, ...page.data], cursor: page.next_cursor };
  }

  async function loadMore(event) {
    event.target.disabled = true;
    try {
      list.data = await more(list.data);
    } catch (error) {
      app.tell(error.message);
    }
    event.target.disabled = false;
    app.draw();
  }

  const line = (event) => html`<tr>
    <td class="line" data-label="Time">${moment(event.updated_at)}</td>
    <td data-label="Who">${event.changed_by}</td>
    <td data-label="What"><span>${badge(KINDS[event.action], event.action)} ${event.table_name} <a href="#/audit?object_id=${encodeURIComponent(event.object_id)}">${event.object_name ?? `${event.object_id.slice(0, 12)}`}</a></span></td>
    <td data-label="Change"><span class="limits">${Object.keys({ ...event.before_value, ...event.updated_values }).map((name) => change(name, event))}</span></td>
  </tr>`;

  function table({ events, cursor }) {
    if (!events.length && Object.keys(wanted).length) return empty("No change of the last 30 days fits.", "Try a part of the name of what was changed, or of who changed it.");
    if (!events.length) return empty("Nothing was changed in the last 30 days.", "Each key, team, user and auto-router that somebody makes, changes or deletes is listed here.");
    return html`<table class="cards">
        <thead><tr><th>Time</th><th>Who</th><th>What</th><th>Change</th></tr></thead>
        <tbody>${events.map(line)}</tbody>
      </table>
      ${cursor ? html`<p class="more"><button type="button" @click=${loadMore}>Load more</button></p>` : nothing}`;
  }

  const ask = (changed) => goTo("audit", { ...wanted, ...changed }, () => list.load());
  const select = (name, label, any, options) => html`<select aria-label=${label} @change=${(event) => ask({ [name]: event.target.value })}>
    <option value="">${any}</option>
    ${options.map(([value, text]) => html`<option value=${value} ?selected=${value === wanted[name]}>${text}</option>`)}
  </select>`;
  const filters = () => html`<div class="filters">
    ${searchField("Search changes", wanted.search, (search) => ask({ search }))}
    ${select("table_name", "What was changed", "Anything", Object.entries(TABLES))}
    ${select("action", "Action", "Any action", Object.keys(KINDS).map((action) => [action, action]))}
  </div>`;

  const actions = () => html`${wanted.object_id ? html`<a class="button" href="#/audit">All changes</a>` : nothing}
    <button type="button" @click=${() => list.load()}>Refresh</button>`;
  const show = () => html`${heading("Changes", "Who changed which key, team, user or auto-router.", actions())}${filters()}${list.show(table)}`;

  function open(params) {
    wanted = Object.fromEntries(params);
    list.load();
  }

  return { show, open };
}

function change(name, { before_value: before, updated_values: after }) {
  const text = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  const [old, now] = [before[name], after[name]];
  return html`<span><code>${name}</code> ${old == null ? nothing : html`${text(old)} → `}${now == null ? (old == null ? "" : "none") : text(now)}</span>`;
}
