/* An answer of a model in a conversation, and what it cost. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { count, milliseconds, usd } from "./format.js";
import { markdown } from "./markdown.js";
import { copy } from "./parts.js";

export function message(app, { model, content, thought, calls, about }, isOneOfTwo) {
  return html`<article class="assistant">
    <h2>${isOneOfTwo ? html`Answer of ${model}` : "Answer"}</h2>
    ${thought ? html`<details><summary>Reasoning</summary><p>${thought}</p></details>` : nothing}
    ${markdown(app, content)}
    ${calls.map(({ name, args }) => html`<p><code>${name}(${args})</code></p>`)}
    ${about.failed ? html`<p class="bad">${about.failed}</p>` : nothing}
    ${about.duration || about.stopped ? html`${facts(about)} <button type="button" class="small" @click=${() => copy(app, content)}>Copy the answer</button>` : nothing}
  </article>`;
}

function facts(about) {
  const usage = about.usage;
  const found = [
    about.provider && `from ${about.provider}`,
    Number(about.attempts) > 1 && `${about.attempts} attempts`,
    usage && `${count(usage.prompt_tokens)} → ${count(usage.completion_tokens)} tokens`,
    usage && (usage.cost == null ? "no known price" : usd(usage.cost)),
    about.first != null && `first token ${milliseconds(about.first)}`,
    about.duration != null && milliseconds(about.duration),
    about["max-tokens"] && `at most ${about["max-tokens"]} tokens`,
    about["dropped-params"] && `without ${about["dropped-params"]}`,
    about.finish && about.finish !== "stop" && `ended by ${about.finish}`,
    about.stopped && "stopped",
  ].filter(Boolean);
  return html`<small>${found.join(" · ")} ${about["x-request-id"] ? html`<a href="#/requests?id=${about["x-request-id"]}">Record</a>` : nothing}</small>`;
}
