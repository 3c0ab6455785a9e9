/* What this key may ask for, with prices and limits. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { perMillion, short } from "./format.js";
import { Loaded, badge, empty, heading, note } from "./parts.js";

const SHOWN = 100;
/** What a table has room for. */
const ABILITIES = {
  vision: "images", pdf_input: "PDF", audio_input: "sound in", audio_output: "sound out", function_calling: "tools",
  response_schema: "JSON", reasoning: "reasoning", prompt_caching: "caching", web_search: "search",
};
const SORTS = {
  name: ["Name", (model) => model.id],
  input: ["Input price", (model) => model.input_cost_per_token ?? Infinity],
  output: ["Output price", (model) => model.output_cost_per_token ?? Infinity],
  context: ["Context", (model) => -(model.max_input_tokens ?? 0)],
};

/** Of the list, as its address says it. */
const FIRST = { search: "", provider: "", capability: "", sort: "name" };

export function models(app) {
  const list = new Loaded(app, async () => {
    const [{ data }, { prices }] = await Promise.all([app.api.get("/models"), app.api.get("/health")]);
    return { all: data, prices };
  });
  let wanted = FIRST;
  let shown = SHOWN;

  function want(event) {
    wanted = { ...wanted, [event.target.name]: event.target.value };
    shown = SHOWN;
    note({ ...wanted, sort: wanted.sort === FIRST.sort ? "" : wanted.sort });
    app.draw();
  }

  function open(params) {
    wanted = { ...FIRST, ...Object.fromEntries(params) };
    if (!(wanted.sort in SORTS)) wanted.sort = FIRST.sort;
    shown = SHOWN;
    list.load();
  }

  const filters = (all) => html`<form class="filters" @submit=${(event) => event.preventDefault()}>
    <input name="search" type="search" placeholder="Search models" aria-label="Search models" .value=${wanted.search} @input=${want}>
    <select name="provider" aria-label="Provider" @change=${want}>
      <option value="">All providers</option>
      ${names(all.map((model) => model.owned_by)).map((name) => html`<option ?selected=${name === wanted.provider}>${name}</option>`)}
    </select>
    <select name="capability" aria-label="Capability" @change=${want}>
      <option value="">Any capability</option>
      ${names(all.flatMap((model) => model.capabilities ?? [])).map((name) => html`<option value=${name} ?selected=${name === wanted.capability}>${words(name)}</option>`)}
    </select>
    <select name="sort" aria-label="Order" @change=${want}>
      ${Object.entries(SORTS).map(([name, [label]]) => html`<option value=${name} ?selected=${name === wanted.sort}>${label}</option>`)}
    </select>
  </form>`;

  const table = (found) => html`<table class="cards">
    <thead><tr><th>Model</th><th class="number">Input, per million</th><th class="number">Output, per million</th>
      <th class="number">Context</th><th class="number">Output limit</th><th>Can</th><th><span class="sr">Actions</span></th></tr></thead>
    <tbody>${found.slice(0, shown).map(row)}</tbody>
  </table>
  ${found.length > shown ? html`<p class="more"><button type="button" @click=${() => { shown += SHOWN; app.draw(); }}>Show more</button></p>` : nothing}`;

  const show = () => html`
    ${heading("Models", "What your key may ask for, and what it costs.")}
    ${list.show(({ all, prices }) => {
      const found = matching(all, wanted);
      return html`${filters(all)}
        <p class="count">${found.length} of ${all.length} models, at prices of ${prices.date} ${prices.outdated ? badge("warn", "older than 90 days") : nothing}</p>
        ${found.length ? table(found) : empty("No model fits.", all.length ? "Try fewer conditions." : "No provider is on yet, or your key may use none of its models.")}`;
    })}`;

  return { show, open };
}

const row = (model) => html`<tr>
  <td class="title"><code>${model.id}</code>${model.owned_by === "gateway" ? badge("info", "route") : nothing}
    ${model.deprecation_date ? badge("warn", `until ${model.deprecation_date}`) : nothing}</td>
  <td class="number" data-label="Input, per million">${perMillion(model.input_cost_per_token)}</td>
  <td class="number" data-label="Output, per million">${perMillion(model.output_cost_per_token)}</td>
  <td class="number" data-label="Context">${short(model.max_input_tokens)}</td>
  <td class="number" data-label="Output limit">${short(model.max_output_tokens)}</td>
  <td class="tags">${(model.capabilities ?? []).filter((name) => name in ABILITIES).map((name) => html`<span>${ABILITIES[name]}</span>`)}</td>
  <td class="end">${isChat(model) ? html`<a href="#/playground?model=${encodeURIComponent(model.id)}">Try</a>` : nothing}</td>
</tr>`;

export function isChat(model) {
  return model.mode === "chat" || model.mode == null;
}

export function matching(all, { search, provider, capability, sort }) {
  const parts = search.trim().toLowerCase().split(/\s+/);
  const found = all.filter((model) =>
    parts.every((part) => model.id.toLowerCase().includes(part)) &&
    (!provider || model.owned_by === provider) &&
    (!capability || model.capabilities?.includes(capability)));
  const by = SORTS[sort][1];
  return found.sort((a, b) => (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0));
}

function names(values) {
  return [...new Set(values)].sort();
}

function words(name) {
  return name.replaceAll("_", " ");
}
