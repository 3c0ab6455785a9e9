/* The batches of who is here, the newest first: how far each is and what it has cost. One that runs is looked at again. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { count, moment, usd } from "./format.js";
import { Loaded, badge, choice, empty, goTo, heading } from "./parts.js";

const LIMIT = 50;
const LOOKS_EVERY_MS = 2_000;
const KINDS = { completed: "good", failed: "bad", expired: "bad", cancelled: "info" };
const RUNS = new Set(["validating", "in_progress", "finalizing", "cancelling"]);

export function batches(app) {
  const list = new Loaded(app, look);
  /** How many pages are shown: who looks again sees as many as before. */
  let pages = 1;
  let next = null;
  /** Whether those of everybody are asked for, which is all that somebody without a key can see. */
  let ofAll = false;

  async function look() {
    clearTimeout(next);
    const found = [];
    let more = true;
    for (let page = 0; more && page < pages; page += 1) {
      const asked = { limit: LIMIT, after: found.at(-1)?.id };
      const answer = await (ofAll ? app.api.get("/batch/list", asked) : app.generating.get("/batches", asked));
      found.push(...answer.data);
      more = answer.has_more;
    }
    if (found.some((batch) => RUNS.has(batch.status))) next = setTimeout(again, LOOKS_EVERY_MS);
    return { found, more };
  }

  function loadMore() {
    pages += 1;
    list.load();
  }

  function again() {
    if (app.api && location.hash.startsWith("#/batches")) list.load();
  }

  async function cancel(batch) {
    try {
      await (ofAll ? app.api.post(`/batch/${batch.id}/cancel`, {}) : app.generating.post(`/batches/${batch.id}/cancel`, {}));
    } catch (error) {
      app.tell(error.message);
    }
    list.load();
  }

  function line(batch) {
    const { total, completed, failed } = batch.request_counts;
    return html`<tr>
      <td class="title"><code>${batch.id}</code>${ofAll ? html` <small class="source">${whose(batch)}</small>` : nothing}</td>
      <td data-label="Status"><span>${badge(KINDS[batch.status] ?? "info", batch.status.replace("_", " "))}</span></td>
      <td class="line" data-label="Endpoint">${batch.endpoint.replace("/v1/", "")}</td>
      <td class="line" data-label="Lines"><span>${count(completed)} of ${count(total)}${failed ? html`, <b class="bad">${count(failed)} failed</b>` : nothing}
        <progress max=${total || 1} value=${completed + failed} aria-label="Answered of ${batch.id}"></progress></span></td>
      <td class="number" data-label="Cost">${usd(batch.usage.cost)}</td>
      <td class="line" data-label="Begun">${moment(new Date(batch.created_at * 1000).toISOString())}</td>
      <td>${mayCancel() && (batch.status === "in_progress" || batch.status === "validating") ? html`<button type="button" class="small" aria-label="Cancel ${batch.id}" @click=${() => cancel(batch)}>Cancel</button>` : nothing}</td>
    </tr>${batch.errors?.data?.length ? html`<tr><td colspan="7">${why(batch.errors.data[0])}</td></tr>` : nothing}`;
  }

  function table({ found, more }) {
    if (!found.length && ofAll) return empty("No batch runs.", "Those that have ended are seen with the key that began them.");
    if (!found.length) return empty("There are no batches.", "A file of requests that POST /v1/batches, or haimaker batches run FILE.jsonl, begins is listed here.");
    return html`<table class="cards">
      <thead><tr><th>Batch</th><th>Status</th><th>Endpoint</th><th>Lines</th><th class="number">Cost</th><th>Begun</th><th><span class="sr">Actions</span></th></tr></thead>
      <tbody>${found.map(line)}</tbody>
    </table>
    ${more ? html`<p class="more"><button type="button" @click=${loadMore}>Load more</button></p>` : nothing}`;
  }

  const mayCancel = () => !ofAll || app.mayChange || app.leadsTeam;
  const WHOSE = [["", "This key's"], ["all", "All that run"]];
  const actions = () => html`${app.generating && app.isAdmin ? choice("Whose", WHOSE, ofAll ? "all" : "", (whose) => goTo("batches", { whose }, () => list.load())) : nothing}
    <button type="button" @click=${() => list.load()}>Refresh</button>`;
  /** Whose they are: nobody who is signed in has batches, but may see others'. */
  const about = () => {
    if (!ofAll) return "Files of requests of this key, or of its team.";
    return app.me.role === "team_admin" ? "Files of requests of your team." : "Files of requests of everybody that have not ended.";
  };
  const show = () => html`${heading("Batches", about(), actions())}${list.show(table)}`;

  function open(params) {
    pages = 1;
    if (ofAll !== (params.get("whose") === "all" || !app.generating)) [ofAll, list.data] = [!ofAll, null];
    list.load();
  }

  return { show, open };
}

function whose({ team_id: team, token_id: key }) {
  return team ? `team ${team}` : html`<a href="#/requests?key=${key}">key ${key.slice(0, 10)}…</a>`;
}

function why(error) {
  return `${error.line ? `Line ${error.line}: ` : ""}${error.message} (${error.code})`;
}
