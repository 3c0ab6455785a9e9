/* The form of what an account may do: which fields, and which of them were changed. */

import { html } from "./vendor/lit-html/lit-html.js";
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
  list: { told: (value) => (value ?? []).join(", "), read: (text) => text.split(",").map((part) => part.trim()).filter(Boolean) },
};

/** The fields as they are in `account`, or empty. */
export function inputs(fields, account = {}) {
  return Object.entries(fields).map(([name, [label, kind, hint]]) => {
    const { type = "text", step, pattern = ".*", told } = KINDS[kind];
    return field(label, html`<input name=${name} type=${type} min="0" step=${step ?? "any"} pattern=${pattern} autocomplete="off" .value=${told(account[name])}>`, hint);
  });
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
