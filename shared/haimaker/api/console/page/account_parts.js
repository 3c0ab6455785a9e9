/* How an account is shown, a key's, a team's or a user's: its state, its budget, its limits. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { meter } from "./chart.js";
import { count, moment, percent, usd } from "./format.js";
import { badge } from "./parts.js";

export function state(account) {
  if (account.blocked) return badge("bad", "blocked");
  if (account.expires && Date.parse(account.expires) < Date.now()) return badge("bad", "expired");
  return html`${account.role && account.role !== "user" ? badge("info", account.role) : nothing}${account.expires ? badge("warn", `until ${moment(account.expires)}`) : nothing}`;
}

/** What is spent of the budget, or in all where there is none. */
export function budget(account) {
  if (account.max_budget == null) return html`<span><b>${usd(account.spend)}</b> <small>no budget</small></span>`;
  const used = account.spend + account.reserved;
  const renewed = account.budget_duration ? `each ${account.budget_duration}` : "in all";
  return html`<div class="budget"><span><b>${usd(account.spend)}</b> of ${usd(account.max_budget)} <small>${renewed}</small></span>
    ${meter(used, account.max_budget, `${percent(used, account.max_budget)} of the budget is used`)}</div>`;
}

export function limitsOf(account) {
  const limits = [
    [account.rpm_limit, "requests/min"],
    [account.tpm_limit, "tokens/min"],
    [account.max_parallel_requests, "at once"],
  ].filter(([limit]) => limit != null);
  const models = account.models ?? [];
  return html`${limits.map(([limit, unit]) => html`<span>${count(limit)} ${unit}</span>`)}
    ${models.slice(0, 4).map((model) => html`<code>${model}</code>`)}${models.length > 4 ? html`<small>and ${models.length - 4} more</small>` : nothing}
    ${limits.length || models.length ? nothing : html`<small>none</small>`}`;
}
