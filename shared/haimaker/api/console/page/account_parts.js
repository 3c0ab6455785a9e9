/* How an account is shown, a key's, a team's or a user's: its state, its budget, its limits; and how a list of them is asked for. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { meter } from "./chart.js";
import { counted, moment, percent, usd } from "./format.js";
import { badge, searchField } from "./parts.js";

const ORDERS = [["created_at", "Newest"], ["spend", "Spend"], ["used", "Budget used"], ["key_alias", "Name"]];

/** The parameters of a page of accounts, for what is in the address. */
export function listed({ search = "", sort_by: order = "created_at", ...wanted }, size) {
  return { page: 1, ...wanted, search: search.trim(), sort_by: order, sort_order: order === "key_alias" ? "asc" : "desc", size };
}

/** What accounts are chosen and ordered by; `ask` opens the list with what is changed. */
export function filters(label, wanted, states, ask) {
  return html`<div class="filters">
    ${searchField(label, wanted.search, (search) => ask({ search }))}
    <select aria-label="State" @change=${(event) => ask({ status: event.target.value })}>
      <option value="">Any state</option>
      ${states.map((status) => html`<option ?selected=${status === wanted.status}>${status}</option>`)}
    </select>
    <select aria-label="Order" @change=${(event) => ask({ sort_by: event.target.value })}>
      ${ORDERS.map(([value, text]) => html`<option value=${value} ?selected=${value === wanted.sort_by}>${text}</option>`)}
    </select>
  </div>`;
}

export function state(account) {
  if (account.blocked) return badge("bad", "blocked");
  if (account.expires && Date.parse(account.expires) < Date.now()) return badge("bad", "expired");
  return html`${account.role && account.role !== "user" ? badge("info", account.role) : nothing}${account.expires ? badge("warn", `until ${moment(account.expires)}`) : nothing}`;
}

/** The alerts that its spend in this window has led to: at the soft budget, and at 50, 80 and 100 % of the budget. */
export function alerts({ spend, soft_budget, max_budget }) {
  const reached = [100, 80, 50].find((part) => max_budget && spend * 100 >= max_budget * part);
  return [
    ...(reached ? [[reached === 100 ? "bad" : "warn", `${reached} % is spent`]] : []),
    ...(soft_budget != null && spend >= soft_budget ? [["warn", "soft budget reached"]] : []),
  ];
}

/** What is spent of the budget, or in all where there is none. */
export function budget(account) {
  const told = alerts(account).map(([kind, text]) => badge(kind, text));
  if (account.max_budget == null) return html`<span><b>${usd(account.spend)}</b> <small>no budget</small> ${told}</span>`;
  const used = account.spend + account.reserved;
  const renewed = account.budget_duration ? `each ${account.budget_duration}` : "in all";
  return html`<div class="budget"><span><b>${usd(account.spend)}</b> of ${usd(account.max_budget)} <small>${renewed}</small> ${told}</span>
    ${meter(used, account.max_budget, `${percent(used, account.max_budget)} of the budget is used`)}</div>`;
}

export function limitsOf(account) {
  const limits = [
    [account.rpm_limit, "request", "/min"],
    [account.tpm_limit, "token", "/min"],
    [account.max_parallel_requests, "request", " at once"],
  ].filter(([limit]) => limit != null);
  const models = account.models ?? [];
  const limited = Object.entries(account.model_max_budget ?? {}).slice(0, 4);
  return html`${limits.map(([limit, unit, per]) => html`<span class="line">${counted(limit, unit)}${per}</span>`)}
    ${limited.map(([model, { budget_limit }]) => html`<span><code>${model}</code> ${usd(account.model_spend[model])} of ${usd(budget_limit)}</span>`)}
    ${models.slice(0, 4).map((model) => html`<code>${model}</code>`)}${models.length > 4 ? html`<small>and ${models.length - 4} more</small>` : nothing}
    ${limits.length || limited.length || models.length ? nothing : html`<small>none</small>`}`;
}
