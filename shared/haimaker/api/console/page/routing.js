/* Where a request would go and why, without sending it; and the auto-routers that are kept in the store. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { autoRouters } from "./auto_routers.js";
import { counted } from "./format.js";
import { Loaded, badge, empty, failure, heading, note } from "./parts.js";

const NOTHING_ASKED = { model: "", text: "Hello", router: "" };

export function routing(app) {
  let asked = NOTHING_ASKED;
  let plan = null;
  let error = null;
  const routers = new Loaded(app, async () => (await app.api.get("/auto-router/list")).routers);
  const auto = autoRouters(app, routers);
  const names = new Loaded(app, async () => (await app.api.get("/models")).data);

  async function simulate(event) {
    event.preventDefault();
    asked = { ...NOTHING_ASKED, ...Object.fromEntries(new FormData(event.target)) };
    note({ ...asked, text: asked.text === NOTHING_ASKED.text ? "" : asked.text });
    [plan, error] = [null, null];
    const messages = [{ role: "user", content: asked.text }];
    try {
      plan = asked.router
        ? await app.api.post(`/auto-router/${encodeURIComponent(asked.router)}/simulate`, { messages })
        : await app.api.post("/route/simulate", { model: asked.model, messages });
    } catch (failed) {
      error = failed;
      app.failed(failed);
    }
    app.draw();
  }

  const question = () => html`<section class="panel">
    <header><h2>Where would it go?</h2></header>
    <form class="filters" @submit=${simulate}>
      <input name="model" list="names" aria-label="Model or name" placeholder="A model, or a name of your own" autocomplete="off" spellcheck="false" .value=${asked.model}>
      <datalist id="names">${(names.data ?? []).map((model) => html`<option value=${model.id}></option>`)}</datalist>
      ${app.mayChange && routers.data?.length ? html`<select name="router" aria-label="Auto-router">
        <option value="">by the name</option>
        ${routers.data.map((router) => html`<option value=${router.auto_router_id} ?selected=${router.auto_router_id === asked.router}>${router.router_name ?? router.auto_router_id}</option>`)}
      </select>` : nothing}
      <input name="text" aria-label="Message" placeholder="A message" .value=${asked.text}>
      <button class="primary">Simulate</button>
    </form>
    <small>Nothing is sent or charged, unless a rule goes by examples: then the message's embedding is asked for.</small>
    ${error ? failure(error) : nothing}
    ${plan ? decision(plan) : nothing}
  </section>`;

  const own = (models) => {
    const found = models.filter((model) => model.owned_by === "gateway");
    if (!found.length) return empty("There are no names of your own.", "They stand in gateway.toml: docs/routing.md.");
    return html`<ul class="tags">${found.map((model) => html`<li><button type="button" class="small" @click=${() => { asked.model = model.id; app.draw(); }}>${model.id}</button></li>`)}</ul>`;
  };

  const show = () => html`
    ${heading("Routing", "Which targets a request would be sent to, in which order, and why.")}
    ${question()}
    <section class="panel"><header><h2>Names of your own</h2></header>${names.show(own)}</section>
    ${auto.show()}`;

  function open(params) {
    asked = { ...NOTHING_ASKED, ...Object.fromEntries(params) };
    [plan, error] = [null, null];
    routers.load();
    names.load();
  }

  return { show, open };
}

function decision(plan) {
  if (plan.error) return html`<p class="notice bad" role="status">${plan.error.message} ${badge("bad", plan.error.code ?? plan.error.status)}</p>`;
  const rows = [
    ...plan.attempts.map((each, index) => [each.target, index ? badge("", "then") : badge("good", "first"), each.why]),
    ...plan.context_window_fallbacks.map((each) => [each.target, badge("info", "if it is too long"), each.why]),
    ...plan.content_policy_fallbacks.map((each) => [each.target, badge("info", "if it is refused"), each.why]),
    ...plan.left_out.map((each) => [each.target, badge("warn", "left out"), each.why]),
  ];
  return html`<div role="status"><p>${plan.resolved_model} leads to these, with ${counted(plan.retries, "more try", "more tries")}, in ${plan.timeout_s} s at most.</p>
    ${plan.auto?.rules.length ? html`<p>Rules: ${plan.auto.rules.map((rule) => html`<span>${rule.rule} ${badge(rule.outcome === "holds" ? "good" : "", rule.outcome)} </span>`)}</p>` : nothing}
    <table class="cards">
      <thead><tr><th>Target</th><th>When</th><th>Why</th></tr></thead>
      <tbody>${rows.map(([target, when, why]) => html`<tr><td class="title"><code>${target}</code></td><td data-label="When">${when}</td><td data-label="Why">${why || "–"}</td></tr>`)}</tbody>
    </table></div>`;
}
