/* Which providers are on and by which variable, how their calls went, whether they take their key; and adding one. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { sparkline } from "./chart.js";
import { form } from "./dialogs.js";
import { count, milliseconds, moment, percent } from "./format.js";
import { Loaded, badge, choice, empty, failure, field, goTo, heading, note } from "./parts.js";

const SPANS = [["24", "24 hours"], ["168", "7 days"], ["744", "31 days"]];
const HEALTH = { ok: ["good", "answers"], failing: ["bad", "fails often"], resting: ["bad", "rests after failures"], unused: ["", "not asked"] };
const HOUR_MS = 3_600_000;

export function providers(app) {
  let wanted = { hours: "24" };
  let tests = {};
  const list = new Loaded(app, () => app.api.get("/providers", { hours: wanted.hours, all: wanted.all }));

  function go(changed) {
    const conditions = { ...wanted, ...changed };
    goTo("providers", { ...conditions, hours: conditions.hours === "24" ? "" : conditions.hours }, () => list.load());
  }

  /** What needs no other answer of the gateway. */
  function see(changed) {
    wanted = { ...wanted, ...changed };
    note(changed);
    app.draw();
  }

  async function test(name) {
    tests = { ...tests, [name]: { busy: true } };
    app.draw();
    try {
      const said = await app.api.post("/providers/test", { provider: name });
      tests[name] = { kind: said.ok ? "good" : said.state === "limited" ? "warn" : "bad", text: said.message };
    } catch (error) {
      app.failed(error);
      tests[name] = { kind: "bad", text: error.message };
    }
    app.draw();
  }

  function add(variable = "") {
    const known = list.data.data.map((row) => row.credential).filter(Boolean);
    form(app, {
      title: "Add a provider's key",
      verb: "Save",
      content: html`<p>${list.data.counts_calls ? "It is used at once, kept in the file of variables that this gateway starts with, and shown nowhere again." : "It is kept in SSM, used by all functions within five minutes, and shown nowhere again."}</p>
        ${field("Variable", html`<input name="variable" list="credentials" required autocomplete="off" spellcheck="false" placeholder="OPENAI_API_KEY" .value=${variable}>`)}
        <datalist id="credentials">${known.map((name) => html`<option value=${name}></option>`)}</datalist>
        ${field("Key", html`<input name="value" type="password" required autocomplete="off">`)}`,
      submit: async (given) => {
        const said = await app.api.post("/providers/credentials", { variable: given.get("variable").trim(), value: given.get("value") });
        return () => {
          app.tell(said.on.length ? `${said.on.join(", ")} is on.` : "The key is kept; the provider needs an address as well.");
          list.load();
        };
      },
    });
  }

  const filters = () => html`<form class="filters" @submit=${(event) => event.preventDefault()}>
    <input type="search" placeholder="Search providers" aria-label="Search providers" .value=${wanted.search ?? ""} @input=${(event) => see({ search: event.target.value })}>
    <label class="check"><input type="checkbox" .checked=${wanted.all === "true"} @change=${(event) => go({ all: event.target.checked ? "true" : "" })}><span>Those that are off, too</span></label>
  </form>`;

  function table({ data, hours }) {
    const found = data.filter((row) => row.provider.includes((wanted.search ?? "").trim().toLowerCase()));
    if (!found.length) return html`${filters()}${empty("No provider fits.", "Those that are off are shown where you ask for them.")}`;
    return html`${filters()}${list.data.counts_calls ? nothing : html`<p class="count">Calls, failures and durations of a deployed stack are in CloudWatch: docs/deploy.md.</p>`}<table class="cards providers-on">
      <thead><tr><th>Provider</th><th>State</th><th class="number">Calls</th><th class="number">Failed</th><th class="number">Duration</th>
        <th class="number">First byte</th><th>Over time</th><th><span class="sr">Actions</span></th></tr></thead>
      <tbody>${found.map((row) => line(row, hours))}</tbody>
    </table>`;
  }

  function line(row, hours) {
    const [kind, words] = HEALTH[row.health];
    const open = wanted.opened === row.provider;
    const said = tests[row.provider];
    return html`<tr class=${open ? "open" : ""}>
      <td class="title">${row.provider} ${source(row)}</td>
      <td data-label="State"><span>${row.on ? badge(kind, words) : badge("", "off")}${said?.text ? html` <span role="status">${badge(said.kind, said.text)}</span>` : nothing}
        ${row.last_error ? html`<small>last error: ${lastError(row)}</small>` : nothing}</span></td>
      <td class="number" data-label="Calls">${count(row.attempts)}</td>
      <td class="number" data-label="Failed">${failed(row)}</td>
      <td class="number" data-label="Duration">${pair(row, "duration")}</td>
      <td class="number" data-label="First byte">${pair(row, "first_byte")}</td>
      <td data-label="Over time">${overTime(row, hours)}</td>
      <td class="end">
        ${row.models.length ? html`<button type="button" class="small" aria-expanded=${open} aria-label="Models of ${row.provider}" @click=${() => see({ opened: open ? "" : row.provider })}>Models</button>` : nothing}
        ${app.mayChange && row.on && row.variable ? html`<button type="button" class="small" aria-label="Test ${row.provider}" ?disabled=${said?.busy} @click=${() => test(row.provider)}>Test</button>` : nothing}
        ${app.mayChange && list.data.takes_credentials && row.credential && row.from !== "environment" ? html`<button type="button" class="small" aria-label="${row.on ? "Replace" : "Add"} the key of ${row.provider}" @click=${() => add(row.credential)}>${row.on ? "New key" : "Add key"}</button>` : nothing}
      </td>
    </tr>${open ? html`<tr class="detail" tabindex="0"><td colspan="8">${models(row)}</td></tr>` : nothing}`;
  }

  const actions = () => html`
    ${choice("Span", SPANS, wanted.hours, (hours) => go({ hours }))}
    ${app.mayChange && list.data?.takes_credentials ? html`<button type="button" class="primary" @click=${() => add()}>Add a key</button>` : nothing}
    <button type="button" @click=${() => list.load()}>Refresh</button>`;

  const show = () => html`
    ${heading("Providers", "Which are on, and how their calls went; also those that a fallback made good.", actions())}
    ${list.error ? failure(list.error, () => list.load()) : list.show(table)}`;

  function open(params) {
    wanted = { hours: "24", ...Object.fromEntries(params) };
    list.load();
  }

  return { show, open };
}

function source(row) {
  if (row.variable) return html`<small class="source"><code>${row.variable}</code> from ${row.from}</small>`;
  if (row.on) return nothing;
  return html`<small class="source">needs ${row.variables.slice(0, 2).map((name, index) => html`${index ? " or " : ""}<code>${name}</code>`)}</small>`;
}

function failed(row) {
  return row.failures ? html`<b class="bad">${count(row.failures)}</b> <small>${percent(row.failures, row.attempts)}</small>` : count(row.failures);
}

/** Half of the calls were faster than the first, all but a twentieth than the second. */
function pair(row, name) {
  const [half, most] = [row[`${name}_p50_ms`], row[`${name}_p95_ms`]];
  return half == null ? "–" : html`${milliseconds(half)} <small>95% ${milliseconds(most)}</small>`;
}

function overTime(row, hours) {
  if (!row.attempts) return "–";
  const length = Math.min(hours, 48);
  const per = hours / length;
  const first = Date.now() - hours * HOUR_MS;
  const sums = (name) => {
    const values = Array(length).fill(0);
    for (const hour of row.by_hour) {
      const index = Math.floor((Date.parse(hour.at) - first) / HOUR_MS / per);
      values[Math.min(length - 1, Math.max(0, index))] += hour[name];
    }
    return values;
  };
  return html`<span class="over">${sparkline(sums("attempts"), `Calls of ${row.provider} over time`)}
    ${row.failures ? html`<span class="failures">${sparkline(sums("failures"), `Failures of ${row.provider} over time`)}</span>` : nothing}</span>`;
}

function lastError({ last_error: error }) {
  return error ? html`<span>${badge("bad", error.status)} ${error.message} <small>${moment(error.at)}</small></span>` : "–";
}

function models(row) {
  return html`<table>
    <thead><tr><th>Model</th><th class="number">Calls</th><th class="number">Failed</th><th class="number">Duration</th><th class="number">First byte</th><th>Last error</th></tr></thead>
    <tbody>${[...row.models].sort((a, b) => b.attempts - a.attempts).map((model) => html`<tr>
      <td><code>${model.target}</code>${row.resting.includes(model.target) ? html` ${badge("bad", "rests")}` : nothing}</td>
      <td class="number">${count(model.attempts)}</td><td class="number">${failed(model)}</td>
      <td class="number">${pair(model, "duration")}</td><td class="number">${pair(model, "first_byte")}</td>
      <td>${lastError(model)}</td>
    </tr>`)}</tbody>
  </table>`;
}
