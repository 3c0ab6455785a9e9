/* The latest requests, or the dearest of them: who asked, what it cost, and every attempt. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { byProvider, fromGeneration } from "./attempts.js";
import { REQUESTS, exporter } from "./export.js";
import { count, milliseconds, moment, percent, usd } from "./format.js";
import { Loaded, badge, choice, code, debounced, empty, goTo, heading, note } from "./parts.js";

const PAGE = 50;
const STATUSES = { ok: "good", error: "bad", cut: "warn", lost: "bad" };
const SPAN = ["start_date", "end_date"];
const NAMES = { provider: "Provider", user: "User", tag: "Tag" };
const OF_ALL_KEYS = { team: "Team" };
const MOST_SUGGESTED = 20;
const REFUSALS = 20;

export function requests(app) {
  let wanted = {};
  /** The key that `wanted` has, as people name it; the suggestions for what is typed, and the latest of them. */
  let keyName = "";
  let suggested = [];
  let id = "";
  let order = "newest";
  let opened = null;
  /** What was asked and answered, by request, where somebody wanted to see it. */
  const contents = new Map();
  const rows = new Loaded(app, find);
  let refusalsShown = REFUSALS;
  const refused = new Loaded(app, () => app.api.get("/refusals", { limit: refusalsShown }));

  /** What is asked for: a team's administrator is shown its team, if not a key of it. */
  const conditions = () => (app.leadsTeam && !wanted.key ? { ...wanted, team: app.me.team_id } : wanted);
  const nameOf = (key) => key.key_alias ?? key.key_name;

  async function findKeys(conditions) {
    return (await app.api.get("/key/list", { ...conditions, return_full_object: true, size: MOST_SUGGESTED })).keys;
  }

  /** Suggests keys for what is typed. */
  const suggest = debounced(async (event) => {
    const text = event.target.value.trim();
    suggested = text ? await findKeys({ search: text }).catch(() => []) : [];
    app.draw();
  });

  /** The id of the key that people call so. Throws Error if none or several are. */
  async function keyId(text) {
    const called = (found) => found.filter((key) => nameOf(key) === text || key.token_id === text);
    const [named, found] = [called(suggested), await findKeys({ search: text })];
    const fit = named.length === 1 ? named : called(found).length === 1 ? called(found) : found;
    if (fit.length === 1) return fit[0].token_id;
    throw new Error(fit.length ? `Several keys are found by “${text}”; write more of the name or the beginning of the id.` : `No key is found by “${text}”.`);
  }

  /** Names the key whose id is in the address. */
  async function nameKey() {
    keyName = wanted.key ? `${wanted.key.slice(0, 10)}…` : "";
    if (!wanted.key) return;
    const [found] = await findKeys({ key_hash: wanted.key }).catch(() => []);
    if (found?.token_id !== wanted.key) return;
    keyName = nameOf(found);
    app.draw();
  }

  async function find() {
    if (id) return { rows: [fromGeneration((await app.api.get("/generation", { id })).data)], cursor: null };
    return more({ rows: [], cursor: null });
  }

  async function more(found) {
    const page = await app.api.get("/spend/logs", { ...conditions(), sort_by: order === "dearest" ? "spend" : "", limit: PAGE, cursor: found.cursor });
    return { rows: [...found.rows, ...page.data], cursor: page.next_cursor, ofNewest: page.of_newest };
  }

  const save = exporter(app, "requests.csv", REQUESTS, async function* () {
    for (let cursor; cursor !== null; ) {
      const page = await app.api.get("/spend/logs", { ...conditions(), limit: 100, cursor });
      yield page.data;
      cursor = page.next_cursor;
    }
  });

  async function loadMore(event) {
    event.target.disabled = true;
    try {
      rows.data = await more(rows.data);
    } catch (error) {
      app.tell(error.message);
    }
    event.target.disabled = false;
    app.draw();
  }

  async function submit(event) {
    event.preventDefault();
    const given = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, value.trim()]));
    if (Object.values(given).some((value) => value.startsWith("sk-") && value.length > 24)) return app.tell("A key does not belong into an address; choose it by its name.");
    try {
      if (given.key) given.key = given.key === keyName ? wanted.key : await keyId(given.key);
    } catch (error) {
      return app.tell(error.message);
    }
    goTo("requests", { ...given, order: order === "newest" ? "" : order }, () => rows.load());
  }

  const text = (name, label) => html`<input name=${name} placeholder=${label} aria-label=${label} autocomplete="off" spellcheck="false" .value=${wanted[name] ?? ""}>`;

  function filters() {
    const names = { ...NAMES, ...(app.isAdmin ? OF_ALL_KEYS : {}) };
    const inUse = [...Object.keys(names), ...SPAN].some((name) => wanted[name]);
    return html`<form class="filters" @submit=${submit}>
      ${text("model", "Model")}
      ${app.listsKeys ? keyField() : nothing}
      <select name="status" aria-label="Status">
        <option value="">Any status</option>
        ${Object.keys(STATUSES).map((status) => html`<option ?selected=${status === wanted.status}>${status}</option>`)}
      </select>
      <input name="id" type="search" placeholder="Request id" aria-label="Request id" spellcheck="false" .value=${id}>
      <button>Find</button>
      <details ?open=${inUse}><summary>More conditions</summary><div class="filters">
        ${Object.entries(names).map(([name, label]) => text(name, label))}
        ${SPAN.map((name) => html`<input name=${name} type="date" aria-label=${name === "start_date" ? "From" : "To"} .value=${(wanted[name] ?? "").slice(0, 10)}>`)}
        ${new Date().getTimezoneOffset() ? html`<small>Days are UTC’s; times below are your own.</small>` : nothing}
      </div></details>
    </form>`;
  }

  const keyField = () => html`<input name="key" list="keys-found" placeholder="Key" aria-label="Key" autocomplete="off" spellcheck="false" .value=${keyName} @input=${suggest}>
    <datalist id="keys-found">${suggested.map((key) => html`<option value=${nameOf(key)}>${key.key_name}</option>`)}</datalist>`;

  const actions = () => html`
    ${choice("Order", [["newest", "Newest"], ["dearest", "Dearest"]], order, (value) => goTo("requests", { ...wanted, order: value === "newest" ? "" : value }, () => rows.load()))}
    ${save()}<button type="button" @click=${() => rows.load()}>Refresh</button>`;

  function table(found) {
    if (!found.rows.length && !found.cursor && !id && !Object.values(wanted).some(Boolean)) return empty("Nothing was asked in the last 30 days.", "A request is listed here as soon as it was answered.");
    if (!found.rows.length && !found.cursor) return empty("No request fits.", "Records are kept for 400 days; without dates, those of the last 30 are looked at.");
    return html`${order === "dearest" ? html`<p class="count">The dearest of ${found.ofNewest ? `the ${count(found.ofNewest)} newest` : app.isAdmin && !wanted.key && !wanted.start_date ? "the last 30 days" : "all that fit"}</p>` : nothing}
      <table class="cards requests">
        <thead><tr><th>Time</th><th>Model</th><th>Key</th><th>Status</th><th class="number">Tokens</th><th class="number">Duration</th><th class="number">Cost</th><th><span class="sr">Details</span></th></tr></thead>
        <tbody>${found.rows.map(line)}</tbody>
      </table>
      ${found.cursor ? html`<p class="more"><button type="button" @click=${loadMore}>Load more</button></p>` : nothing}
      ${providers(found.rows)}`;
  }

  function line(row) {
    const open = opened === row.request_id;
    const failed = row.attempts.filter((attempt) => attempt.status !== 200).length;
    const served = row.model ? `${row.provider}/${row.model}` : null;
    return html`<tr class=${open ? "open" : ""}>
      <td class="line" data-label="Time">${moment(row.started_at)}</td>
      <td class="title"><code>${row.asked_model ?? served ?? "unknown"}</code>${served && row.asked_model && served !== row.asked_model ? html` <small>by ${served}</small>` : nothing}</td>
      <td class="whose" data-label="Key">${row.key_alias ?? row.key_name ?? "–"}</td>
      <td data-label="Status"><span>${badge(STATUSES[row.status], row.status)} ${failed && row.status === "ok" ? badge("warn", `${failed} failed first`) : nothing}
        ${row.error ? html`<small>${row.error}</small>` : nothing}</span></td>
      <td class="number" data-label="Tokens">${count(row.input_tokens)} → ${count(row.output_tokens)}</td>
      <td class="number" data-label="Duration">${milliseconds(row.duration_ms)}</td>
      <td class="number" data-label="Cost">${row.cost_known ? html`<b>${usd(row.spend)}</b>` : badge("warn", "no price")}</td>
      <td class="end"><button type="button" class="small" aria-expanded=${open} aria-label="${open ? "Close" : "Details"} of ${row.request_id}" @click=${() => toggle(row)}>${open ? "Close" : "Details"}</button></td>
    </tr>${open ? html`<tr class="detail" tabindex="0"><td colspan="8">${detail(row)}${content(row)}</td></tr>` : nothing}`;
  }

  /** The row that is open is in the address, which does not ask for all again. */
  function toggle({ request_id: request }) {
    opened = opened === request ? null : request;
    note({ opened });
    app.draw();
  }

  function content({ request_id: request }) {
    const found = contents.get(request);
    if (!app.mayChange && !app.me.log_content) return nothing;
    if (!found) return html`<button type="button" class="small" @click=${() => read(request)}>Prompt and answer</button>`;
    if (!found.data) return html`<p class="muted" role="status">${found.message}</p>`;
    return html`<h2>Prompt</h2>${code(app, JSON.stringify(found.data.request, null, 2), "The prompt")}
      <h2>Answer</h2>${code(app, JSON.stringify(found.data.response, null, 2), "The answer")}`;
  }

  async function read(request) {
    try {
      contents.set(request, await app.api.get("/generation/content", { id: request }));
    } catch (error) {
      contents.set(request, { message: error.status === 404 ? "No prompt and no answer of this request is kept here." : error.message });
    }
    app.draw();
    queueMicrotask(() => document.activeElement === document.body && document.querySelector("tr.detail")?.focus()); // whose button is gone
  }

  const show = () => html`
    ${heading("Requests", app.isAdmin ? "Of all keys, with their attempts and cost." : app.leadsTeam ? "Of the keys of your team, with their attempts and cost." : "Of your key, with their attempts and cost.", actions())}
    ${filters()}
    ${rows.show(table)}
    ${refused.data?.data.length ? refusals(refused.data, () => { refusalsShown = Math.min(1000, refusalsShown * 5); refused.load(); }) : nothing}`;

  function open(params) {
    ({ id = "", opened = id || null, order = "newest", ...wanted } = Object.fromEntries(params));
    if (order !== "dearest") order = "newest";
    rows.load();
    refused.load();
    if (app.listsKeys) nameKey();
  }

  return { show, open };
}

function detail(row) {
  const facts = [
    ["Request id", html`<code>${row.request_id}</code>`],
    ["Operation", row.operation && `${row.operation}${row.stream ? ", streamed" : ""}`],
    ["User", row.user],
    ["Team", row.team_id],
    ["Tags", row.tags.join(", ")],
    ["Cached tokens", row.cached_tokens && count(row.cached_tokens)],
    ["First token", row.first_token_ms != null && milliseconds(row.first_token_ms)],
    ["Cost", row.cost_estimated && "estimated, since the provider sent no usage"],
  ];
  return html`<dl>${facts.map(([name, value]) => (value ? html`<div><dt>${name}</dt><dd>${value}</dd></div>` : nothing))}</dl>
    <table>
      <thead><tr><th>Attempt</th><th>Answer</th><th class="number">First byte</th><th class="number">Duration</th><th class="number">Cost</th></tr></thead>
      <tbody>${row.attempts.map((attempt) => html`<tr>
        <td><code>${attempt.target}</code></td>
        <td>${badge(attempt.status === 200 ? "good" : "bad", attempt.status ?? "none")} ${attempt.code ?? ""}</td>
        <td class="number">${milliseconds(attempt.first_byte_ms)}</td>
        <td class="number">${milliseconds(attempt.duration_ms)}</td>
        <td class="number">${usd(attempt.cost_usd)}</td>
      </tr>`)}</tbody>
    </table>`;
}

/** Requests that no provider was asked for. */
function refusals({ data, total_count: total }, loadMore) {
  return html`<section class="panel providers">
    <header><h2>Refused in the last 7 days, before a provider was asked</h2></header>
    <table class="cards">
      <thead><tr><th>Key</th><th>Why</th><th class="number">Times</th><th>First</th><th>Last</th></tr></thead>
      <tbody>${data.map((row) => html`<tr>
        <td class="title">${row.key_alias ?? row.key_name ?? (row.key ? `${row.key.slice(0, 12)}…` : "no key of this gateway")}</td>
        <td data-label="Why">${badge("warn", row.code)}</td>
        <td class="number" data-label="Times">${count(row.count)}</td>
        <td class="line" data-label="First">${moment(row.first_at)}</td>
        <td class="line" data-label="Last">${moment(row.last_at)}</td>
      </tr>`)}</tbody>
    </table>
    ${total > data.length ? html`<p class="more"><button type="button" @click=${loadMore}>More refusals</button> <span class="muted">the latest ${count(data.length)} of ${count(total)}</span></p>` : nothing}
  </section>`;
}

function providers(rows) {
  const found = byProvider(rows);
  return html`<section class="panel providers">
    <header><h2>How providers answered these requests</h2></header>
    <table class="cards">
      <thead><tr><th>Provider</th><th class="number">Attempts</th><th class="number">Failed</th><th>Last failure</th><th class="number">Median duration</th></tr></thead>
      <tbody>${found.map((row) => html`<tr>
        <td class="title">${row.provider}</td>
        <td class="number" data-label="Attempts">${count(row.attempts)}</td>
        <td class="number" data-label="Failed">${row.failed ? html`<b class="bad">${count(row.failed)}</b> <small>${percent(row.failed, row.attempts)}</small>` : "0"}</td>
        <td data-label="Last failure">${row.last ? html`<span>${badge("bad", row.last.status ?? "none")} ${row.last.code ?? ""} <small>${moment(row.last.at)}</small></span>` : "–"}</td>
        <td class="number" data-label="Median duration">${milliseconds(row.median_ms)}</td>
      </tr>`)}</tbody>
    </table>
  </section>`;
}
