/* Keys: issued, limited, rotated and blocked by an administrator; its own, for anybody else. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BASE_URL } from "./api.js";
import { budget, filters, limitsOf, listed, state } from "./account_parts.js";
import { sparkline } from "./chart.js";
import { form, message } from "./dialogs.js";
import { KEYS, exporter } from "./export.js";
import { moment, usd } from "./format.js";
import { LIMITS, MODELS, TIME_PATTERN, changes, groups } from "./limits.js";
import { Loaded, code, empty, field, goTo, heading, pager } from "./parts.js";
import { days, daysAgo, series } from "./series.js";

const DAYS = 30;
const PAGE = 50;
const FIELDS = { key_alias: ["Name", "text", "for people"], ...LIMITS, ...MODELS, team_id: ["Team", "text", "its id; it pays too"], tags: ["Tags", "list", "with commas between"] };

const STATUSES = ["active", "blocked", "expired"];

export function keys(app) {
  let wanted = {};
  const list = new Loaded(app, app.listsKeys ? page : async () => ({ found: [(await app.api.get("/key/info")).info], pages: 1, page: 1, total: 1 }));
  /** The little charts, asked for once the keys are there. */
  const used = new Loaded(app, async () => {
    const shown = list.data.found.map((key) => key.token_id);
    const asked = app.listsKeys ? { group_by: "day,key", keys: shown.join(",") } : { group_by: "day" };
    const report = await app.api.get("/spend/report", { ...asked, start_date: daysAgo(DAYS - 1) });
    const rows = report.data.map((row) => ({ key: shown[0], ...row }));
    return new Map(series(rows, "key", "spend", days(report.start_date, report.end_date), Infinity).map(({ id, values }) => [id, values]));
  });

  async function page() {
    const answer = await app.api.get("/key/list", { ...listed(wanted, PAGE), return_full_object: true });
    return { found: answer.keys, total: answer.total_count, page: answer.current_page, pages: answer.total_pages };
  }

  async function load() {
    await list.load();
    if (list.data?.found.length && !list.error) await used.load();
  }

  /** What is asked for is in the address, so that it can be sent to somebody. */
  const ask = (changed) => goTo("keys", { ...wanted, page: "", ...changed }, load);

  const save = exporter(app, "keys.csv", KEYS, async function* () {
    for (let page = 1, last = 1; page <= last; page += 1) {
      const answer = await app.api.get("/key/list", { ...wanted, page, size: 100, return_full_object: true });
      yield answer.keys;
      last = answer.total_pages;
    }
  });

  /** The row as the gateway answered, instead of asking for all again. */
  function replaced(answer) {
    const { key: _, ...changed } = answer;
    list.data.found = list.data.found.map((key) => (key.token_id === changed.token_id ? changed : key));
    app.draw();
  }

  const expiry = (hint) => field("Expires in", html`<input name="duration" pattern="-1|${TIME_PATTERN}" placeholder=${hint} autocomplete="off">`, "30m, 12h, 30d or 4w; -1: never");
  const lasting = (given) => (given.get("duration") ? { duration: given.get("duration") } : {});

  function create() {
    form(app, {
      title: "New key",
      content: groups(FIELDS, {}, expiry("never")),
      verb: "Create the key",
      submit: async (given) => {
        const issued = await app.api.post("/key/generate", { ...changes(FIELDS, given), ...lasting(given) });
        load();
        return () => reveal(issued, "The key was created");
      },
    });
  }

  function reveal(issued, title) {
    message(app, {
      title,
      content: html`<p>Copy it now: only its hash is stored, and nobody can show it again.</p>
        ${code(app, issued.key, "The key")}
        ${(issued.warnings ?? []).map((warning) => html`<p class="notice warn" role="alert">${warning}</p>`)}
        <p>To see what it may ask for:</p>
        ${code(app, `export HAIMAKER_KEY='${issued.key}'\ncurl ${BASE_URL}/models -H "Authorization: Bearer $HAIMAKER_KEY"`, "A first request")}`,
    });
  }

  function edit(key) {
    form(app, {
      title: `Limits of ${name(key)}`,
      content: groups(FIELDS, key, expiry(key.expires ? moment(key.expires) : "as it is: never")),
      verb: "Save",
      submit: async (given) => {
        const changed = { ...changes(FIELDS, given, key), ...lasting(given) };
        if (Object.keys(changed).length) replaced(await app.api.post("/key/update", { key: key.token_id, ...changed }));
        return () => app.tell("Saved; it holds from the next request on.");
      },
    });
  }

  function rotate(key) {
    form(app, {
      title: `A new secret for ${name(key)}`,
      content: html`<p>Limits and spend stay.</p>
        ${field("The old secret is taken for", html`<input name="grace_period" pattern=${TIME_PATTERN} placeholder="not at all" autocomplete="off">`, "30m, 12h or 7d; empty: it ends at once")}`,
      verb: "Rotate the key",
      danger: true,
      submit: async (given) => {
        const grace = given.get("grace_period") ? { grace_period: given.get("grace_period") } : {};
        const issued = await app.api.post("/key/regenerate", { key: key.token_id, ...grace });
        load();
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
        load();
      },
    });
  }

  async function block(key) {
    try {
      replaced(await app.api.post(key.blocked ? "/key/unblock" : "/key/block", { key: key.token_id }));
      app.tell(key.blocked ? "Unblocked." : "Blocked from the next request on.");
    } catch (error) {
      app.tell(error.message);
    }
  }

  const actions = (key) => html`<div class="row-actions">
    <button type="button" class="small" aria-label="Edit ${name(key)}" @click=${() => edit(key)}>Edit</button>
    ${key.token_id === app.me.token_id ? nothing : html`
      <button type="button" class="small" aria-label="Rotate ${name(key)}" @click=${() => rotate(key)}>Rotate</button>
      <button type="button" class="small" aria-label="${key.blocked ? "Unblock" : "Block"} ${name(key)}" @click=${() => block(key)}>${key.blocked ? "Unblock" : "Block"}</button>
      <button type="button" class="small danger" aria-label="Delete ${name(key)}" @click=${() => remove(key)}>Delete</button>`}
  </div>`;

  const line = (key) => html`<tr>
    <td class="title"><a href="#/requests?key=${key.token_id}">${name(key)}</a> ${state(key)}<br><small><code>${key.key_name}</code></small></td>
    <td data-label="Spend">${budget(key)}</td>
    <td data-label="Last ${DAYS} days">${sparkline(used.data?.get(key.token_id) ?? [0], `Spend of ${name(key)} in the last ${DAYS} days`)}</td>
    <td data-label="Limits"><span class="limits">${limitsOf(key)}</span></td>
    <td class="line" data-label="Team">${key.team_id ? html`<a href="#/keys?${new URLSearchParams({ team_id: key.team_id })}">${key.team_id}</a>` : nothing}</td>
    <td class="end">${app.mayChangeKey(key) ? actions(key) : nothing}</td>
  </tr>`;

  function table(shown) {
    if (!shown.found.length && shown.page > 1) return empty("There is no such page.", html`<a href="#/keys">The first one</a> has the newest keys.`);
    if (!shown.found.length) return empty("No key fits.", "Try a part of its name, team, user or tag, or the beginning of its id.");
    return html`<table class="cards">
        <thead><tr><th>Key</th><th>Spend</th><th>Last ${DAYS} days</th><th>Limits</th><th>Team</th><th><span class="sr">Actions</span></th></tr></thead>
        <tbody>${shown.found.map(line)}</tbody>
      </table>
      ${pager(shown, PAGE, "keys", (page) => ask({ page }))}
      ${app.listsKeys ? nothing : html`<p class="more muted">Spent in all: ${usd(shown.found[0].total_spend)}. An administrator can change the limits.</p>`}`;
  }

  const show = () => html`
    ${app.listsKeys
      ? heading("Keys", app.leadsTeam ? "Who may use the gateway in your team, and how much." : "Who may use the gateway, and how much.", html`${save()}${app.mayChange || app.leadsTeam ? html`<button type="button" class="primary" @click=${create}>New key</button>` : nothing}`)
      : heading("Your key", "What it may do, and what is left.")}
    ${app.listsKeys ? filters("Search keys", wanted, STATUSES, ask) : nothing}
    ${list.show(table)}`;

  function open(params) {
    wanted = Object.fromEntries(params);
    load();
  }

  return { show, open };
}

function name(key) {
  return key.key_alias ?? key.key_name;
}

