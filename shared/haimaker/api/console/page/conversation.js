/* A conversation as a person holds it, with one model or with two side by side, and the requests that it makes of each. Pure.

   A turn is what was said, or what tools gave, and an answer of each model: {text, images: [{name, url}], results: [{id: text}, …] or
   null, answers: [{content, thought, calls, about}, …]}. */

/** The messages for the model in this column, up to and without the last answer. */
export function messages(turns, column, system) {
  const said = system ? [{ role: "system", content: system }] : [];
  turns.forEach((turn, index) => {
    if (turn.results) said.push(...Object.entries(turn.results[column] ?? {}).map(([id, content]) => ({ role: "tool", tool_call_id: id, content })));
    else said.push({ role: "user", content: contentOf(turn) });
    const answer = turn.answers[column];
    if (index < turns.length - 1 && (answer?.content || answer?.calls.length)) said.push(spoken(answer));
  });
  return said;
}

function contentOf({ text, images }) {
  if (!images?.length) return text;
  return [{ type: "text", text }, ...images.map(({ url }) => ({ type: "image_url", image_url: { url } }))];
}

function spoken({ content, calls }) {
  if (!calls?.length) return { role: "assistant", content };
  return { role: "assistant", content: content || null, tool_calls: calls.map(({ id, name, args }) => ({ id, type: "function", function: { name, arguments: args } })) };
}

/** What stands in a request besides its messages. Throws SyntaxError, naming the field, for what is no JSON. */
export function parameters(wanted) {
  const found = {};
  for (const name of ["temperature", "max_tokens"]) if (wanted[name] !== "") found[name] = Number(wanted[name]);
  if (wanted.effort) found.reasoning_effort = wanted.effort;
  if (wanted.tools.trim()) found.tools = read(wanted.tools, "Tools").map((tool) => (tool.function ? tool : { type: "function", function: tool }));
  if (wanted.schema.trim()) found.response_format = { type: "json_schema", json_schema: { name: "answer", schema: read(wanted.schema, "The schema") } };
  return wanted.stream ? { ...found, stream: true, stream_options: { include_usage: true } } : found;
}

function read(text, what) {
  let found;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`${what}: ${error.message}`);
  }
  if (what === "Tools" && !Array.isArray(found)) throw new SyntaxError("Tools: a list of functions, such as [{\"name\": \"…\", \"parameters\": {…}}].");
  return found;
}

/** Adds a chunk of a stream, or a whole answer, to an answer. */
export function take(answer, chunk, part) {
  const choice = chunk.choices?.[0];
  const found = choice?.[part] ?? {};
  answer.content += found.content ?? "";
  answer.thought += found.reasoning_content ?? "";
  for (const [place, call] of (found.tool_calls ?? []).entries()) {
    const known = (answer.calls[call.index ?? place] ??= { id: "", name: "", args: "" });
    known.id ||= call.id ?? "";
    known.name ||= call.function?.name ?? "";
    known.args += call.function?.arguments ?? "";
  }
  if (choice?.finish_reason) answer.about.finish = choice.finish_reason;
  if (chunk.usage) answer.about.usage = chunk.usage;
}

/** Whether tools that were called have not given their results yet. */
export function waits(turns) {
  return Boolean(turns.at(-1)?.answers.some((answer) => answer.calls.length));
}
