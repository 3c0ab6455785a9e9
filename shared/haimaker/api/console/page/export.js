/* All that a view asks for as CSV, page by page. `haimaker export` has as many as there are. */

import { html } from "./vendor/lit-html/lit-html.js";
import { count, counted } from "./format.js";

const MOST = 50_000;
/** With these a spreadsheet takes a text for a formula: https://owasp.org/www-community/attacks/CSV_Injection */
const FORMULA = /^[=+\-@\t\r]/;
export const REQUESTS = ["request_id", "started_at", "status", "spend", "cost_known", "operation", "asked_model", "provider", "model", "input_tokens", "output_tokens", "cached_tokens", "duration_ms", "first_token_ms", "error", "key_name", "key_alias", "team_id", "user", "tags"];
export const KEYS = ["token_id", "key_name", "key_alias", "role", "team_id", "user_id", "tags", "models", "spend", "total_spend", "max_budget", "budget_duration", "rpm_limit", "tpm_limit", "blocked", "expires", "created_at"];

function cell(value) {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toFixed(9).replace(/0+$/, "");
  const text = Array.isArray(value) ? value.join(" ") : String(value ?? "");
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Pure. */
export const toCsv = (columns, rows) => [columns, ...rows.map((row) => columns.map((name) => row[name]))].map((line) => `${line.map(cell).join(",")}\n`).join("");

/** A button that asks `pages`, a generator of lists of rows, until there are no more, and saves them. */
export function exporter(app, file, columns, pages) {
  let found = null;

  async function run() {
    if (found) return;
    found = [];
    try {
      for await (const rows of pages()) {
        found.push(...rows);
        app.draw();
        if (found.length >= MOST) break;
      }
      save(file, toCsv(columns, found));
      app.tell(found.length >= MOST ? `${count(found.length)} are saved; haimaker export has all.` : `${counted(found.length, "row")} ${found.length === 1 ? "is" : "are"} saved.`);
    } catch (error) {
      app.tell(error.message);
    }
    found = null;
    app.draw();
  }

  return () => html`<button type="button" aria-busy=${Boolean(found)} @click=${run}>${found ? `${count(found.length)} …` : "Export"}</button>`;
}

function save(file, text) {
  const href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
