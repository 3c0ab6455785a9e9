/* A conversation with a model, or with two side by side, as it streams, and the request that makes it. What is said stays in this tab. */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { BASE_URL } from "./api.js";
import { FORMATS, LANGUAGES, sample } from "./code_samples.js";
import { messages, parameters, take, waits } from "./conversation.js";
import { message } from "./message.js";
import { isChat } from "./models.js";
import { Loaded, choice, code, empty, failure, field, heading } from "./parts.js";
import { events } from "./sse.js";

const EXAMPLE = "Count to 5";
const FIRST_MODEL = "demo/count"; // which does as the example says
const EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh"];
const NOTHING_WANTED = { model: "", beside: "", system: "", text: "", temperature: "", max_tokens: "", effort: "", tools: "", schema: "", stream: true };
const KEPT = "haimaker.conversation";
/** Of a request in code, in place of an image's own data. */
const PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const PHONE = matchMedia("(max-width: 800px)");

export function playground(app) {
  let { turns, wanted } = kept();
  let images = [];
  let format = "chat";
  let language = "curl";
  let running = null;
  let error = null;
  const models = new Loaded(app, async () => (await app.api.get("/models")).data.filter(isChat).map((model) => model.id));

  const columns = () => [wanted.model, ...(wanted.beside ? [wanted.beside] : [])];

  /** The request that would be sent now; where nothing is typed, the last one, or an example. Throws SyntaxError. */
  function body() {
    const next = { text: wanted.text || EXAMPLE, images, results: null, answers: [] };
    const said = wanted.text || !turns.length ? [...turns, next] : turns;
    return { model: wanted.model, messages: messages(said, 0, wanted.system), ...parameters(wanted) };
  }

  function keep() {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ turns, wanted }));
    } catch {
      sessionStorage.removeItem(KEPT); // images that are too large for it
    }
  }

  async function send(event) {
    event?.preventDefault();
    if (running && event?.type === "submit") return running.abort();
    if (running || !wanted.text.trim() || !wanted.model) return;
    const turn = { text: wanted.text, images, results: null, answers: [] };
    [wanted.text, images] = ["", []];
    if (!(await ask([...turns, turn]))) [wanted.text, images] = [turn.text, turn.images];
    keep();
    app.draw();
    document.getElementById("say")?.focus();
  }

  /** Has every model answer the last turn. Returns false, and leaves all as it was, if none says anything. */
  async function ask(asked) {
    const before = turns;
    const turn = asked.at(-1);
    let requests;
    error = null;
    try {
      requests = columns().map((model, column) => ({ model, messages: messages([...asked.slice(0, -1), { ...turn, answers: [] }], column, wanted.system), ...parameters(wanted) }));
    } catch (wrong) {
      error = wrong;
      app.draw();
      return false;
    }
    turn.answers = requests.map(({ model }) => ({ model, content: "", thought: "", calls: [], about: {} }));
    turns = asked;
    running = new AbortController();
    app.draw();
    await Promise.all(requests.map((request, column) => one(request, turn.answers[column], running.signal)));
    running = null;
    const isEmpty = turn.answers.every((answer) => !answer.content && !answer.calls.length);
    if (isEmpty) turns = before;
    app.draw();
    return !isEmpty;
  }

  async function one(request, answer, signal) {
    try {
      await stream(request, answer, signal);
    } catch (failed) {
      if (failed.name === "AbortError") answer.about.stopped = true;
      else {
        answer.about.failed = failed.message;
        error = failed;
        app.failed(failed);
      }
    }
  }

  async function stream(asked, answer, signal) {
    const begun = performance.now();
    const response = await app.generating.send("POST", "/chat/completions", asked, signal);
    const about = answer.about;
    for (const name of ["x-request-id", "x-haimaker-provider", "x-haimaker-attempts", "x-haimaker-max-tokens", "x-haimaker-dropped-params"]) {
      about[name.replace("x-haimaker-", "")] = response.headers.get(name);
    }
    const see = (chunk, part) => {
      if (chunk.error) throw new Error(chunk.error.message);
      take(answer, chunk, part);
      if (about.first == null && answer.content) about.first = performance.now() - begun;
      app.draw();
    };
    if (asked.stream) {
      for await (const data of events(response.body)) {
        if (data === "[DONE]") break;
        see(JSON.parse(data), "delta");
      }
    } else see(await response.json(), "message");
    about.duration = performance.now() - begun;
  }

  /** Takes the conversation back to before a turn, whose text is to be said anew. */
  function edit(index) {
    const turn = turns[index];
    turns = turns.slice(0, index);
    Object.assign(wanted, { text: turn.text });
    images = turn.images;
    keep();
    app.draw();
    document.getElementById("say")?.focus();
  }

  async function again(index) {
    if (running) return;
    await ask([...turns.slice(0, index), { ...turns[index], answers: [] }]);
    keep();
    app.draw();
  }

  async function giveResults(event) {
    event.preventDefault();
    if (running) return;
    const given = new FormData(event.target);
    const results = turns.at(-1).answers.map((answer, column) => Object.fromEntries(answer.calls.map(({ id }) => [id, given.get(`${column} ${id}`)])));
    await ask([...turns, { text: "", images: [], results, answers: [] }]);
    keep();
    app.draw();
  }

  function change(event) {
    const { name, type, value, checked } = event.target;
    if (!(name in wanted)) return;
    wanted[name] = type === "checkbox" ? checked : value;
    keep();
    app.draw();
  }

  async function attach(event) {
    const files = [...event.target.files];
    event.target.value = "";
    images = [...images, ...(await Promise.all(files.map(async (file) => ({ name: file.name, url: await dataUrl(file) }))))];
    app.draw();
  }

  function keydown(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  }

  function clear() {
    running?.abort();
    [turns, images, error] = [[], [], null];
    keep();
    app.draw();
  }

  /** On a phone they are behind the name of the model, so that the conversation is what is seen first. */
  const settings = () => html`<details class="panel" ?open=${!PHONE.matches} @input=${change}><summary>${wanted.model || "No model"}: model and settings</summary><section class="settings" aria-label="Settings">
    ${field("Model", html`<input name="model" list="chat-models" autocomplete="off" spellcheck="false" .value=${wanted.model}>`)}
    ${field("Beside it", html`<input name="beside" list="chat-models" autocomplete="off" spellcheck="false" placeholder="nothing" .value=${wanted.beside}>`, "A second one, which answers the same.")}
    <datalist id="chat-models">${(models.data ?? []).map((id) => html`<option value=${id}></option>`)}</datalist>
    ${field("System", html`<textarea name="system" rows="3" .value=${wanted.system}></textarea>`)}
    <div class="pair">
      ${field("Temperature", html`<input name="temperature" type="number" min="0" max="2" step="0.1" placeholder="default" .value=${wanted.temperature}>`)}
      ${field("Most tokens", html`<input name="max_tokens" type="number" min="1" step="1" placeholder="default" .value=${wanted.max_tokens}>`)}
    </div>
    ${field("Effort", html`<select name="effort"><option value="">default</option>${EFFORTS.map((name) => html`<option ?selected=${name === wanted.effort}>${name}</option>`)}</select>`)}
    <details ?open=${Boolean(wanted.tools || wanted.schema)}><summary>Tools and schema</summary>
      ${field("Tools", html`<textarea name="tools" rows="4" spellcheck="false" placeholder='[{"name": "weather", "parameters": {"type": "object"}}]' .value=${wanted.tools}></textarea>`)}
      ${field("JSON schema of the answer", html`<textarea name="schema" rows="4" spellcheck="false" placeholder='{"type": "object"}' .value=${wanted.schema}></textarea>`)}
    </details>
    <label class="field check"><input name="stream" type="checkbox" .checked=${wanted.stream}><span>Stream the answer</span></label>
    ${models.error ? failure(models.error, () => models.load()) : nothing}
  </section></details>`;

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

  const said = (turn, index) => html`
    ${turn.results ? nothing : html`<article class="user"><h2>You</h2><p>${turn.text}</p>
      ${turn.images.length ? html`<small>with ${turn.images.map(({ name }) => name).join(", ")}</small>` : nothing}
      ${running ? nothing : html`<button type="button" class="small" @click=${() => edit(index)}>Edit</button> <button type="button" class="small" @click=${() => again(index)}>Again</button>`}</article>`}
    <div class=${turn.answers.length > 1 ? "beside" : ""}>${turn.answers.map((answer) => message(app, answer, turn.answers.length > 1))}</div>`;

  const results = () => html`<form class="results" @submit=${giveResults}>
    ${turns.at(-1).answers.map((answer, column) => answer.calls.map(({ id, name }) => field(`Result of ${name}`, html`<input name="${column} ${id}" required autocomplete="off">`)))}
    <button class="primary">Give the results</button>
  </form>`;

  const talk = () => html`<section class="panel talk">
    <div class="said" role="log" aria-label="Conversation" tabindex="0">${turns.length ? turns.map(said) : empty("Say something.", "It is charged to your key like any other request.")}</div>
    ${error ? failure(error) : nothing}
    ${!running && waits(turns) ? results() : nothing}
    <form class="say" @submit=${send}>
      <textarea id="say" name="text" rows="2" aria-label="Message" placeholder="A message; Enter sends it" .value=${wanted.text} @input=${change} @keydown=${keydown}></textarea>
      <label class="button attach">Images<input class="sr" type="file" accept="image/*" multiple @change=${attach}></label>
      <button class=${running ? "" : "primary"}>${running ? "Stop" : "Send"}</button>
    </form>
    ${images.length ? html`<ul class="attached">${images.map((image) => html`<li>${image.name} <button type="button" class="small" aria-label="Take ${image.name} away" @click=${() => { images = images.filter((each) => each !== image); app.draw(); }}>×</button></li>`)}</ul>` : nothing}
  </section>`;

  const asCode = () => {
    try {
      return code(app, sample(format, language, withPixels(body()), BASE_URL), "The request as code");
    } catch (wrong) {
      return html`<p class="notice bad" role="alert">${wrong.message}</p>`;
    }
  };

  const shown = () => html`<section class="panel">
    <header><h2>The request</h2>${choice("Language", Object.entries(LANGUAGES), language, (name) => { language = name; app.draw(); })}</header>
    ${choice("Format", Object.entries(FORMATS), format, (name) => { format = name; app.draw(); })}
    ${asCode()}
    <small>With your key in the variable HAIMAKER_KEY.</small>
  </section>`;

  const show = () => html`
    ${heading("Playground", "Talk to a model, or to two side by side, and take the request with you.", html`<button type="button" @click=${clear}>Start again</button>`)}
    <div class="playground">${settings()}${app.generating ? talk() : needsKey()}${shown()}</div>`;

  PHONE.addEventListener("change", () => app.draw());

  async function open(params) {
    wanted.model = params.get("model") ?? wanted.model;
    const asked = models.load(); // anew: a provider may be on since
    if (!models.data) await asked;
    wanted.model ||= models.data?.find((id) => id === FIRST_MODEL) ?? models.data?.[0] ?? "";
    app.draw();
  }

  return { show, open };
}

/** What this tab said before it was loaded anew. */
function kept() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT));
    return { turns: found.turns, wanted: { ...NOTHING_WANTED, ...found.wanted } };
  } catch {
    return { turns: [], wanted: { ...NOTHING_WANTED } };
  }
}

function dataUrl(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}

function withPixels(body) {
  return JSON.parse(JSON.stringify(body, (name, value) => (name === "url" && String(value).startsWith("data:") ? PIXEL : value)));
}
