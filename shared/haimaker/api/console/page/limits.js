/* The form of what an account may do: which fields, and which of them were changed. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { field } from "./parts.js";

const TIME = "30m, 12h, 30d, 4w or 1mo";
export const TIME_PATTERN = "[1-9][0-9]*[smhdw]";

/** By the name that the gateway has for it: label, kind, hint. */
export const LIMITS = {
  max_budget: ["Budget, USD", "usd", "empty: no limit"],
  budget_duration: ["Renewed every", "time", `${TIME}; empty: never`],
  soft_budget: ["Alert from, USD", "usd", "tells the deployer, blocks nothing"],
  rpm_limit: ["Requests a minute", "whole", "empty: no limit"],
  tpm_limit: ["Tokens a minute", "whole", "empty: no limit"],
  max_parallel_requests: ["Requests at once", "whole", "empty: no limit"],
  model_max_budget: ["Budgets by model, USD", "budgets", "openai/gpt-4o = 5 / 30d, with commas between"],
  model_rpm_limit: ["Requests by model, a minute", "counts", "openai/gpt-4o = 60, with commas between"],
  model_tpm_limit: ["Tokens by model, a minute", "counts", "openai/gpt-4o = 9000, with commas between"],
};
export const MODELS = { models: ["Models", "list", "names, or openai/*, with commas between; empty: all"] };

/** What few accounts have: shown when asked for, or where it is set. */
const MORE = new Set(["soft_budget", "rpm_limit", "tpm_limit", "max_parallel_requests", "model_max_budget", "model_rpm_limit", "model_tpm_limit", "tags"]);

/** `a = 1, b = 2` as an object, and back; `told` and `read` are of one value. */
const byModel = (told, read) => ({
  told: (values) => Object.entries(values ?? {}).map(([model, value]) => `${model} = ${told(value)}`).join(", "),
  read: (text) => Object.fromEntries(text.split(",").filter((part) => part.trim()).map((part) => {
    const end = part.lastIndexOf("=");
    return [part.slice(0, end).trim(), read(part.slice(end + 1).trim())];
  })),
});
const readBudget = (text) => {
  const [usd, time] = text.split("/").map((part) => part.trim());
  return { budget_limit: Number(usd), ...(time ? { time_period: time } : {}) };
};

const KINDS = {
  text: { told: (value) => value ?? "", read: (text) => text },
  usd: { type: "number", step: "any", told: (value) => (value == null ? "" : String(value)), read: Number },
  whole: { type: "number", step: "1", told: (value) => (value == null ? "" : String(value)), read: Number },
  budgets: byModel(({ budget_limit, time_period }) => `${budget_limit}${time_period ? ` / ${time_period}` : ""}`, readBudget),
  counts: byModel(String, Number),
  time: { pattern: `${TIME_PATTERN}|[1-9][0-9]?mo`, told: (value) => value ?? "", read: (text) => text },
  team: { list: "teams", told: (value) => value ?? "", read: (text) => text },
  list: { told: (value) => (value ?? []).join(", "), read: (text) => text.split(",").map((part) => part.trim()).filter(Boolean) },
};

export const labels = (fields) => Object.fromEntries(Object.entries(fields).map(([name, [label]]) => [name, label]));

/** The fields as they are in `account`, or empty. */
function inputs(fields, account = {}) {
  return Object.entries(fields).map(([name, [label, kind, hint]]) => {
    const { type = "text", step, pattern, list, told } = KINDS[kind];
    return field(label, html`<input name=${name} type=${type} min="0" step=${step ?? "any"} pattern=${pattern ?? ".*"} title=${pattern ? hint : nothing} list=${list ?? nothing} autocomplete="off" .value=${told(account[name])}>`, hint);
  });
}

/** The fields as they are in `account`, or empty, in two groups; `last` is one more of the second. */
export function groups(fields, account = {}, last = nothing) {
  const [first, more] = [false, true].map((isMore) => Object.fromEntries(Object.entries(fields).filter(([name]) => MORE.has(name) === isMore)));
  const isSet = account.expires || Object.entries(more).some(([name, [, kind]]) => KINDS[kind].told(account[name]));
  const show = { handleEvent: (event) => { event.currentTarget.open = true; }, capture: true }; // what is wrong can be seen
  return html`<div class="fields">${inputs(first, account)}</div>
    <details ?open=${Boolean(isSet)} @invalid=${show}><summary>More limits</summary><div class="fields">${inputs(more, account)}${last}</div></details>`;
}

/** What a form says otherwise than `account`, as the gateway takes it; null takes a limit away. Pure. */
export function changes(fields, given, account = {}) {
  const found = {};
  for (const [name, [, kind]] of Object.entries(fields)) {
    const { told, read } = KINDS[kind];
    const text = (given.get(name) ?? "").trim();
    if (text === told(account[name])) continue;
    found[name] = text === "" ? (kind === "list" ? [] : null) : read(text);
  }
  return found;
}
