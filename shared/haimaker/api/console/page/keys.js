/* Keys: issued, limited, rotated and blocked by an administrator; its own, for anybody else. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BASE_URL } from "./api.js";
import { budget, filters, limitsOf, listed, state } from "./account_parts.js";
import { sparkline } from "./chart.js";
import { form, message } from "./dialogs.js";
import { KEYS, exporter } from "./export.js";
import { moment, usd } from "./format.js";
import { LIMITS, MODELS, TIME_PATTERN, changes, groups, labels } from "./limits.js";
import { Loaded, code, debounced, empty, field, goTo, heading, pager } from "./parts.js";
import { days, daysAgo, series } from "./series.js";

const DAYS = 30;
const PAGE = 50;
const TEAM = { team_id: ["Team", "team", "its name or id; it pays too"] };
const MOST_SUGGESTED = 20;

const STATUSES = ["active", "blocked", "expired"];

export function keys(app) {
  let wanted = {};
  /** A team's administrator makes keys of that team, and of no other. */
  const FIELDS = { key_alias: ["Name", "text", "for people"], ...LIMITS, ...MODELS, ...(app.isAdmin ? TEAM : {}), tags: ["Tags", "list", "with commas between"] };
  const LABELS = { ...labels(FIELDS), duration: "Expires in", grace_period: "The old secret is taken for" };
  let teams = [];
  const list = new Loaded(app, app.listsKeys ? page : own);
  /** The little charts, asked for once the keys are there. */
  const used = new Loaded(app, async () => {
    const shown = list.data.found.map((key) => key.token_id);
    const asked = app.listsKeys ? { group_by: "day,key", keys: shown.join(",") } : { group_by: "day" };
    const report = await app.api.get("/spend/report", { ...asked, start_date: daysAgo(DAYS - 1) });
    const rows = report.data.map((row) => ({ key: shown[0], ...row }));
    return new Map(series(rows, "key", "spend", days(report.start_date, report.end_date), Infinity).map(({ id, values }) => [id, values]));
  });

  /** One's own key, and its team, which pays as well. */
  async function own() {
    const { info } = await app.api.get("/key/info");
    const team = info.team_id && (await app.api.get("/team/info", { team_id: info.team_id }).catch(() => null))?.team_info;
    return { found: [{ ...info, team_alias: team?.team_alias }], team, pages: 1, page: 1, total: 1 };
  }

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
    const { key: _, ...now } = answer;
    list.data.found = list.data.found.map((key) => (key.token_id === now.token_id ? { team_alias: key.team_alias, ...now } : key));
    app.draw();
  }

  /** Teams for what is typed, if that is not one of them already. */
  const suggest = debounced(async ({ target: { name, value } }) => {
    if (name !== "team_id" || !app.isAdmin) return;
    const found = value.trim() && (await app.api.get("/team/list", { search: value.trim(), page: 1, size: MOST_SUGGESTED }).catch(() => null));
    teams = found?.teams ?? [];
    app.draw();
  });

  const limits = (key, last) => () => html`<div @input=${suggest}>${groups(FIELDS, key, last)}</div>
    <datalist id="teams">${teams.map((team) => html`<option value=${team.team_id}>${team.team_alias ?? ""}</option>`)}</datalist>`;

  /** As `changes`, with the id of a team that is given by its name. */
  function changed(given, key) {
    const found = changes(FIELDS, given, key);
    const team = found.team_id && teams.find(({ team_id: id }) => id === found.team_id) === undefined && teams.find(({ team_alias: alias }) => alias === found.team_id);
    return team ? { ...found, team_id: team.team_id } : found;
  }

  const expiry = (hint) => field("Expires in", html`<input name="duration" pattern="-1|${TIME_PATTERN}" placeholder=${hint} autocomplete="off">`, "30m, 12h, 30d or 4w; -1: never");
  const lasting = (given) => (given.get("duration") ? { duration: given.get("duration") } : {});

  function create() {
    form(app, {
      title: "New key",
      labels: LABELS,
      content: limits({}, expiry("never")),
      verb: "Create the key",
      submit: async (given) => {
        const issued = await app.api.post("/key/generate", { ...changed(given), ...lasting(given) });
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
      labels: LABELS,
      content: limits(key, expiry(key.expires ? moment(key.expires) : "as it is: never")),
      verb: "Save",
      submit: async (given) => {
        const body = { ...changed(given, key), ...lasting(given) };
        const hasTeam = "team_id" in body;
        if (Object.keys(body).length) replaced(await app.api.post("/key/update", { key: key.token_id, ...body }));
        if (hasTeam) load(); // whose name is not in the answer
        return () => app.tell("Saved; it holds from the next request on.");
      },
    });
  }

  function rotate(key) {
    form(app, {
      title: `A new secret for ${name(key)}`,
      labels: LABELS,
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

  const teamOf = (key) => {
    const text = key.team_alias ?? key.team_id;
    return app.isAdmin ? html`<a href="#/keys?${new URLSearchParams({ team_id: key.team_id })}">${text}</a>` : html`<span>${text}</span>`;
  };

  const line = (key) => html`<tr>
    <td class="title"><a href="#/requests?key=${key.token_id}">${name(key)}</a> ${state(key)}<br><small><code>${key.key_name}</code></small></td>
    <td data-label="Spend">${budget(key)}</td>
    <td data-label="Last ${DAYS} days">${sparkline(used.data?.get(key.token_id) ?? [0], `Spend of ${name(key)} in the last ${DAYS} days`)}</td>
    <td data-label="Limits"><span class="limits">${limitsOf(key)}</span></td>
    <td class="whose" data-label="Team">${key.team_id ? teamOf(key) : nothing}</td>
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
      ${app.listsKeys ? nothing : html`<p class="more muted">Spent in all: ${usd(shown.found[0].total_spend)}. An administrator can change the limits.</p>`}
      ${shown.team ? ofTeam(shown.team) : nothing}`;
  }

  const ofTeam = (team) => html`<section class="panel"><header><h2>Its team ${team.team_alias ?? team.team_id}, which pays for all its keys</h2> ${state(team)}</header>
    ${budget(team)}<p class="limits">${limitsOf(team)}</p></section>`;

  /** Which of all keys, where the address names a team, or whose they are. */
  const only = () => ["team_id", "user_id", "key_alias", "key_hash"].filter((field) => wanted[field]).map((field) => {
    const text = field === "team_id" ? list.data?.found.find((key) => key.team_id === wanted.team_id)?.team_alias : null;
    return html`<p class="count">Only those with ${field === "team_id" ? "the team" : field} <b>${text ?? wanted[field]}</b> · <a href="#/keys">All keys</a></p>`;
  });

  const show = () => html`
    ${app.listsKeys
      ? heading("Keys", app.leadsTeam ? "Who may use the gateway in your team, and how much." : "Who may use the gateway, and how much.", html`${save()}${app.mayChange || app.leadsTeam ? html`<button type="button" class="primary" @click=${create}>New key</button>` : nothing}`)
      : heading("Your key", "What it may do, and what is left.")}
    ${app.listsKeys ? filters("Search keys", wanted, STATUSES, ask) : nothing}
    ${only()}
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

