/* Keys: issued, limited, rotated and blocked by an administrator; its own, for anybody else. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BASE_URL } from "./api.js";
import { budget, limitsOf, state } from "./account_parts.js";
import { sparkline } from "./chart.js";
import { form, message } from "./dialogs.js";
import { moment, usd } from "./format.js";
import { LIMITS, MODELS, TIME_PATTERN, changes, inputs } from "./limits.js";
import { Loaded, code, empty, field, heading } from "./parts.js";
import { days, daysAgo, series } from "./series.js";

const DAYS = 30;
const PAGE = 100;
const FIELDS = { key_alias: ["Name", "text", "for people"], ...LIMITS, ...MODELS, team_id: ["Team", "text", "its id; it pays too"], tags: ["Tags", "list", "with commas between"] };

export function keys(app) {
  let wanted = "";
  const list = new Loaded(app, async () => {
    const own = async () => [(await app.api.get("/key/info")).info];
    const [found, report] = await Promise.all([app.isAdmin ? all() : own(), app.api.get("/spend/report", { group_by: app.isAdmin ? "day,key" : "day", start_date: daysAgo(DAYS - 1) })]);
    const dates = days(report.start_date, report.end_date);
    const rows = report.data.map((row) => ({ key: found[0]?.token_id, ...row }));
    return { found, used: new Map(series(rows, "key", "spend", dates, Infinity).map(({ id, values }) => [id, values])) };
  });

  async function all() {
    const found = [];
    for (let page = 1, pages = 1; page <= pages; page += 1) {
      const answer = await app.api.get("/key/list", { return_full_object: true, size: PAGE, page });
      found.push(...answer.keys);
      pages = answer.total_pages;
    }
    return found.reverse();
  }

  const expiry = (hint) => field("Expires in", html`<input name="duration" pattern="-1|${TIME_PATTERN}" placeholder=${hint} autocomplete="off">`, "30m, 12h, 30d or 4w; -1: never");
  const lasting = (given) => (given.get("duration") ? { duration: given.get("duration") } : {});

  function create() {
    form(app, {
      title: "New key",
      content: html`<div class="fields">${inputs(FIELDS)}${expiry("never")}</div>`,
      verb: "Create the key",
      submit: async (given) => {
        const issued = await app.api.post("/key/generate", { ...changes(FIELDS, given), ...lasting(given) });
        list.load();
        return () => reveal(issued, "The key was created");
      },
    });
  }

  function reveal(issued, title) {
    message(app, {
      title,
      content: html`<p>Copy it now: only its hash is stored, and nobody can show it again.</p>
        ${code(app, issued.key, "The key")}
        <p>To see what it may ask for:</p>
        ${code(app, `export HAIMAKER_KEY='${issued.key}'\ncurl ${BASE_URL}/models -H "Authorization: Bearer $HAIMAKER_KEY"`, "A first request")}`,
    });
  }

  function edit(key) {
    form(app, {
      title: `Limits of ${name(key)}`,
      content: html`<div class="fields">${inputs(FIELDS, key)}${expiry(key.expires ? moment(key.expires) : "as it is: never")}</div>`,
      verb: "Save",
      submit: async (given) => {
        const changed = { ...changes(FIELDS, given, key), ...lasting(given) };
        if (Object.keys(changed).length) await app.api.post("/key/update", { key: key.token_id, ...changed });
        list.load();
        return () => app.tell("Saved; it holds from the next request on.");
      },
    });
  }

  function rotate(key) {
    form(app, {
      title: `A new secret for ${name(key)}`,
      content: html`<p>Limits and spend stay. The old secret ends at once.</p>`,
      verb: "Rotate the key",
      danger: true,
      submit: async () => {
        const issued = await app.api.post("/key/regenerate", { key: key.token_id });
        list.load();
        return () => reveal(issued, "The key was rotated");
      },
    });
  }

  function remove(key) {
    form(app, {
      title: `Delete ${name(key)}?`,
      content: html`<p>It is refused from the next request on, for ever. Its records stay.</p>`,
      verb: "Delete the key",
      danger: true,
      submit: async () => {
        await app.api.post("/key/delete", { keys: [key.token_id] });
        list.load();
      },
    });
  }

  async function block(key) {
    try {
      await app.api.post(key.blocked ? "/key/unblock" : "/key/block", { key: key.token_id });
      app.tell(key.blocked ? "Unblocked." : "Blocked from the next request on.");
      list.load();
    } catch (error) {
      app.tell(error.message);
    }
  }

  const actions = (key) => html`<div class="row-actions">
    <button type="button" class="small" @click=${() => edit(key)}>Edit</button>
    ${key.token_id === app.me.token_id ? nothing : html`
      <button type="button" class="small" @click=${() => rotate(key)}>Rotate</button>
      <button type="button" class="small" @click=${() => block(key)}>${key.blocked ? "Unblock" : "Block"}</button>
      <button type="button" class="small danger" @click=${() => remove(key)}>Delete</button>`}
  </div>`;

  const line = (key, used) => html`<tr>
    <td class="title"><a href="#/requests?key=${key.token_id}">${name(key)}</a> ${state(key)}<br><small><code>${key.key_name}</code></small></td>
    <td data-label="Spend">${budget(key)}</td>
    <td data-label="Last ${DAYS} days">${sparkline(used.get(key.token_id) ?? [0], `Spend of ${name(key)} in the last ${DAYS} days`)}</td>
    <td data-label="Limits"><span class="limits">${limitsOf(key)}</span></td>
    <td data-label="Team">${key.team_id ?? ""}</td>
    <td class="end">${app.isAdmin ? actions(key) : nothing}</td>
  </tr>`;

  function table({ found, used }) {
    const shown = found.filter((key) => `${key.key_alias} ${key.key_name} ${key.team_id} ${key.tags}`.toLowerCase().includes(wanted.toLowerCase()));
    return html`${found.length > 5 ? html`<div class="filters"><input type="search" placeholder="Search keys" aria-label="Search keys" @input=${(event) => { wanted = event.target.value; app.draw(); }}></div>` : nothing}
      ${shown.length ? html`<table class="cards">
        <thead><tr><th>Key</th><th>Spend</th><th>Last ${DAYS} days</th><th>Limits</th><th>Team</th><th><span class="sr">Actions</span></th></tr></thead>
        <tbody>${shown.map((key) => line(key, used))}</tbody>
      </table>` : empty("No key fits.", "Try a part of its name.")}
      ${app.isAdmin ? nothing : html`<p class="more muted">Spent in all: ${usd(found[0].total_spend)}. An administrator can change the limits.</p>`}`;
  }

  const show = () => html`
    ${app.isAdmin
      ? heading("Keys", "Who may use the gateway, and how much.", html`<button type="button" class="primary" @click=${create}>New key</button>`)
      : heading("Your key", "What it may do, and what is left.")}
    ${list.show(table)}`;

  return { show, open: () => list.load() };
}

function name(key) {
  return key.key_alias ?? key.key_name;
}

