/* A conversation with a model, as it streams, and the request that makes it. What is said stays in this tab. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BASE_URL } from "./api.js";
import { FORMATS, LANGUAGES, sample } from "./code_samples.js";
import { count, milliseconds, usd } from "./format.js";
import { markdown } from "./markdown.js";
import { isChat } from "./models.js";
import { Loaded, choice, code, copy, empty, failure, field, heading } from "./parts.js";
import { events } from "./sse.js";

const EXAMPLE = "Count to 5";
const SETTINGS = { temperature: Number, max_tokens: Number };

export function playground(app) {
  let said = [];
  let wanted = { model: "", system: "", text: "", temperature: "", max_tokens: "", stream: true };
  let format = "chat";
  let language = "curl";
  let running = null;
  let error = null;
  const models = new Loaded(app, async () => (await app.api.get("/models")).data.filter(isChat).map((model) => model.id));

  /** The request that would be sent now; where nothing is typed, the last one, or an example. */
  function body() {
    const before = (wanted.text ? said : said.slice(0, -1)).map(({ role, content }) => ({ role, content }));
    const next = wanted.text || !said.length ? [{ role: "user", content: wanted.text || EXAMPLE }] : [];
    const messages = [...(wanted.system ? [{ role: "system", content: wanted.system }] : []), ...before, ...next];
    const set = Object.entries(SETTINGS).filter(([name]) => wanted[name] !== "").map(([name, read]) => [name, read(wanted[name])]);
    const streamed = wanted.stream ? { stream: true, stream_options: { include_usage: true } } : {};
    return { model: wanted.model, messages, ...Object.fromEntries(set), ...streamed };
  }

  async function send(event) {
    event.preventDefault();
    if (running || !wanted.text.trim() || !wanted.model) return;
    const asked = body();
    const question = { role: "user", content: wanted.text };
    const answer = { role: "assistant", content: "", thought: "", about: {} };
    said = [...said, question, answer];
    wanted.text = "";
    running = new AbortController();
    error = null;
    app.draw();
    try {
      await ask(asked, answer, running.signal);
    } catch (failed) {
      if (failed.name !== "AbortError") {
        error = failed;
        app.failed(failed);
      } else answer.about.stopped = true;
      if (!answer.content) [said, wanted.text] = [said.filter((message) => message !== answer && message !== question), question.content];
    }
    running = null;
    app.draw();
    document.getElementById("say")?.focus();
  }

  async function ask(asked, answer, signal) {
    const begun = performance.now();
    const response = await app.generating.send("POST", "/chat/completions", asked, signal);
    const about = answer.about;
    for (const name of ["x-request-id", "x-haimaker-provider", "x-haimaker-attempts", "x-haimaker-max-tokens", "x-haimaker-dropped-params"]) {
      about[name.replace("x-haimaker-", "")] = response.headers.get(name);
    }
    if (asked.stream) {
      for await (const data of events(response.body)) {
        if (data === "[DONE]") break;
        take(JSON.parse(data), "delta", answer, begun);
      }
    } else take(await response.json(), "message", answer, begun);
    about.duration = performance.now() - begun;
  }

  function take(chunk, part, answer, begun) {
    if (chunk.error) throw new Error(chunk.error.message);
    const choice = chunk.choices?.[0];
    const found = choice?.[part] ?? {};
    if (found.content && !answer.content) answer.about.first = performance.now() - begun;
    answer.content += found.content ?? "";
    answer.thought += found.reasoning_content ?? "";
    if (choice?.finish_reason) answer.about.finish = choice.finish_reason;
    if (chunk.usage) answer.about.usage = chunk.usage;
    app.draw();
  }

  function change(event) {
    const { name, type, value, checked } = event.target;
    wanted[name] = type === "checkbox" ? checked : value;
    app.draw();
  }

  function keydown(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  }

  const settings = () => html`<section class="panel settings" @input=${change}>
    ${field("Model", html`<input name="model" list="chat-models" autocomplete="off" spellcheck="false" .value=${wanted.model}>`)}
    <datalist id="chat-models">${(models.data ?? []).map((id) => html`<option value=${id}></option>`)}</datalist>
    ${field("System", html`<textarea name="system" rows="3" .value=${wanted.system}></textarea>`)}
    <div class="pair">
      ${field("Temperature", html`<input name="temperature" type="number" min="0" max="2" step="0.1" placeholder="default" .value=${wanted.temperature}>`)}
      ${field("Most tokens", html`<input name="max_tokens" type="number" min="1" step="1" placeholder="default" .value=${wanted.max_tokens}>`)}
    </div>
    <label class="field check"><input name="stream" type="checkbox" .checked=${wanted.stream}><span>Stream the answer</span></label>
    ${models.error ? failure(models.error, () => models.load()) : nothing}
  </section>`;

  let keyError = null;

  async function takeKey(event) {
    event.preventDefault();
    keyError = null;
    try {
      await app.generateWith(new FormData(event.target).get("key").trim());
    } catch (failed) {
      keyError = failed;
    }
    app.draw();
  }

  /** Nothing is generated in a session: each request is some key's. */
  const needsKey = () => html`<section class="panel talk"><form class="filters" @submit=${takeKey}>
    <p>You are signed in as a person. What is asked here is charged to a key: paste one, or make one in <a href="#/keys">Keys</a>.</p>
    ${field("Key", html`<input name="key" type="password" autocomplete="off" spellcheck="false" required placeholder="sk-hm-…">`, "It stays in this tab.")}
    <button class="primary">Use it</button>
    ${keyError ? failure(keyError) : nothing}
  </form></section>`;

  const talk = () => html`<section class="panel talk">
    <div class="said" role="log" aria-label="Conversation">${said.length ? said.map((each) => line(app, each)) : empty("Say something.", "It is charged to your key like any other request.")}</div>
    ${error ? failure(error) : nothing}
    <form class="say" @submit=${send}>
      <textarea id="say" name="text" rows="2" aria-label="Message" placeholder="A message; Enter sends it" .value=${wanted.text} @input=${change} @keydown=${keydown}></textarea>
      ${running ? html`<button type="button" @click=${() => running.abort()}>Stop</button>` : html`<button class="primary">Send</button>`}
    </form>
  </section>`;

  const shown = () => html`<section class="panel">
    <header><h2>The request</h2>${choice("Language", Object.entries(LANGUAGES), language, (name) => { language = name; app.draw(); })}</header>
    ${choice("Format", Object.entries(FORMATS), format, (name) => { format = name; app.draw(); })}
    ${code(app, sample(format, language, body(), BASE_URL), "The request as code")}
    <small>With your key in the variable HAIMAKER_KEY.</small>
  </section>`;

  const clear = html`<button type="button" @click=${() => { running?.abort(); said = []; error = null; app.draw(); }}>Start again</button>`;
  const show = () => html`
    ${heading("Playground", "Talk to a model, and take the request with you.", clear)}
    <div class="playground">${settings()}${app.generating ? talk() : needsKey()}${shown()}</div>`;

  async function open(params) {
    wanted.model = params.get("model") ?? wanted.model;
    if (!models.data) await models.load();
    wanted.model ||= models.data?.find((id) => id.startsWith("demo/")) ?? models.data?.[0] ?? "";
    app.draw();
  }

  return { show, open };
}

function line(app, { role, content, thought, about }) {
  return html`<article class=${role}>
    <h2>${role === "user" ? "You" : "Answer"}</h2>
    ${thought ? html`<details><summary>Reasoning</summary><p>${thought}</p></details>` : nothing}
    ${role === "user" ? html`<p>${content}</p>` : markdown(app, content)}
    ${about?.duration || about?.stopped ? html`${facts(about)} <button type="button" class="small" @click=${() => copy(app, content)}>Copy the answer</button>` : nothing}
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
