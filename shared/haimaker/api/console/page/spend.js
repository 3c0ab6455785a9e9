/* What was spent, by day and by what, as this key may see it. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { colour, columns } from "./chart.js";
import { count, counted, percent, roundUsd, short, usd } from "./format.js";
import { Loaded, choice, empty, goTo, heading, note } from "./parts.js";
import { METRICS, days, daysAgo, series, totals } from "./series.js";

const SPANS = [[7, "7 days"], [30, "30 days"], [90, "90 days"]];
const GROUPS = [["model", "Model"], ["provider", "Provider"], ["key", "Key"], ["team", "Team"], ["user", "User"], ["tag", "Tag"]];
const OF_ALL_KEYS = ["key", "team"];
const SHOWN = 25;
/** How many names have rows of their own: all of them would be a row per day for each of thousands of keys. */
const TOP = 50;

export function spend(app) {
  const FIRST = { by: app.leadsTeam ? "key" : "model", span: 30, metric: "spend" };
  let { by, span, metric } = FIRST;
  const report = new Loaded(app, async () => {
    const asked = { by, span };
    const found = await app.api.get("/spend/report", { group_by: `day,${by}`, start_date: daysAgo(span - 1), top: TOP });
    return { ...found, ...asked };
  });

  const groups = GROUPS.filter(([name]) => app.isAdmin || OF_ALL_KEYS.includes(name) === app.leadsTeam);
  const measured = () => (metric === FIRST.metric ? "" : metric);
  const go = (changed) => goTo("spend", { by, days: span, measure: measured(), ...changed }, () => report.load());
  const actions = () => html`
    ${choice("Grouped by", groups, by, (value) => go({ by: value }))}
    ${choice("Time", SPANS, span, (value) => go({ days: value }))}`;

  function measure(value) {
    metric = value;
    note({ measure: measured() });
    app.draw();
  }

  function chart(found) {
    const dates = days(found.start_date, found.end_date);
    const title = METRICS[metric][0];
    const [format, formatAxis] = metric === "spend" ? [usd, roundUsd] : [count, short];
    const shown = series(found.data, found.by, metric, dates, 6, found.others);
    return html`<section class="panel">
      <header><h2>${title} by ${found.by} and day</h2>
        ${choice("Measure", Object.entries(METRICS).map(([name, [label]]) => [name, label]), metric, measure)}</header>
      ${shown.length ? columns(app, { label: title, dates, groups: shown, format, formatAxis }) : empty(`No ${title.toLowerCase()} in these days.`, metric === "spend" && found.total.requests ? "The requests were free; look at requests or tokens." : "It appears here with the next request.")}
    </section>
    ${table(found, shown)}`;
  }

  function table(found, shown) {
    const rows = totals(found.data.filter((row) => row[found.by] !== null), found.by);
    const rest = totals(found.data.filter((row) => row[found.by] === null), found.by);
    if (!rows.length) return nothing;
    const others = found.others + Math.max(0, rows.length - SHOWN);
    const more = totals([...rows.slice(SHOWN), ...rest].map((row) => ({ ...row, [found.by]: null, key_alias: null })), found.by);
    return html`<section class="panel">
      <table class="cards">
        <thead><tr><th>${GROUPS.find(([name]) => name === found.by)[1]}</th><th class="number">Requests</th><th class="number">Errors</th>
          <th class="number">Input tokens</th><th class="number">Output tokens</th><th class="number">Spend</th><th class="number">Share</th></tr></thead>
        <tbody>${rows.slice(0, SHOWN).map((row) => line(row, found, shown))}
          ${more.map((row) => line({ ...row, label: counted(others, "other") }, found, shown))}</tbody>
      </table>
    </section>`;
  }

  function line(row, found, shown) {
    const place = row.id === null ? -1 : shown.findIndex((group) => group.id === row.id);
    const query = new URLSearchParams({ [found.by]: row.id, start_date: found.start_date });
    return html`<tr>
      <td class="title">${place < 0 ? nothing : html`<i class="dot ${colour(shown[place], place)}"></i>`}${row.id === null ? row.label : html`<a href="#/requests?${query}">${row.label}</a>`}</td>
      <td class="number" data-label="Requests">${count(row.requests)}</td>
      <td class="number" data-label="Errors">${row.errors ? html`<b class="bad">${count(row.errors)}</b> <small>${percent(row.errors, row.requests)}</small>` : "0"}</td>
      <td class="number" data-label="Input tokens">${count(row.input_tokens)}</td>
      <td class="number" data-label="Output tokens">${count(row.output_tokens)}</td>
      <td class="number" data-label="Spend"><b>${usd(row.spend)}</b></td>
      <td class="number" data-label="Share">${percent(row.spend, found.total.spend)}</td>
    </tr>`;
  }

  const show = () => html`
    ${heading("Spend", app.isAdmin ? "What all keys spent; days are UTC." : app.leadsTeam ? "What the keys of your team spent; days are UTC." : "What your key spent; days are UTC.", actions())}
    ${report.show((found) => html`${figures(found)}${chart(found)}`)}`;

  function open(params) {
    by = groups.some(([name]) => name === params.get("by")) ? params.get("by") : FIRST.by;
    span = SPANS.some(([number]) => String(number) === params.get("days")) ? Number(params.get("days")) : FIRST.span;
    metric = params.get("measure") in METRICS ? params.get("measure") : FIRST.metric;
    report.load();
  }

  return { show, open };
}

function figures({ total }) {
  const figure = (label, value, more) => html`<div><span>${label}</span><strong>${value}</strong><small>${more}</small></div>`;
  const each = total.requests ? total.spend / total.requests : 0;
  return html`<div class="figures">
    ${figure("Spend", usd(total.spend), `${usd(each)} a request`)}
    ${figure("Requests", short(total.requests), "that were admitted")}
    ${figure("Errors", percent(total.errors, total.requests), `${count(total.errors)} failed or cut`)}
    ${figure("Input tokens", short(total.input_tokens), "prompts")}
    ${figure("Output tokens", short(total.output_tokens), "answers")}
  </div>`;
}
