// Chat as Node's users have it: whole, streamed, with the helpers for tools and for answers that keep to a schema.

import { client, collected, given, tell } from "./session.js";

const { chat } = client;
const withUsage = { stream: true, stream_options: { include_usage: true } };
const messages = [{ role: "user", content: "Grüezi" }];
const function_ = {
  name: "get_weather",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
};
const response_format = { type: "json_schema", json_schema: { name: "city", strict: true, schema: function_.parameters } };

async function whole() {
  const { data, response } = await chat.completions.create({ model: given.model, messages }).withResponse();
  return {
    text: data.choices[0].message.content,
    cost: data.usage.cost,
    names: [data._request_id === response.headers.get("x-request-id"), response.headers.get("x-haimaker-model")],
  };
}

async function streamed() {
  const chunks = await collected(await chat.completions.create({ model: given.model, messages, ...withUsage }));
  const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  return { text, cost: chunks.at(-1).usage.cost };
}

async function toolCalls() {
  const done = [];
  const stream = chat.completions.stream({ model: given.model, messages, tools: [{ type: "function", function: function_ }] });
  stream.on("tool_calls.function.arguments.done", ({ name, arguments: text }) => done.push([name, JSON.parse(text)]));
  const completion = await stream.finalChatCompletion();
  return { done, finish_reason: completion.choices[0].finish_reason };
}

async function runTools(stream) {
  const asked = [];
  const get_weather = ({ city }) => {
    asked.push(city);
    return "sunny";
  };
  const tools = [{ type: "function", function: { ...function_, function: get_weather, parse: JSON.parse } }];
  const runner = chat.completions.runTools({ model: given.model, messages, tools, ...(stream && withUsage) });
  const text = await runner.finalContent();
  return { text, asked, tokens: (await runner.totalUsage()).total_tokens };
}

async function parsed() {
  const completion = await chat.completions.parse({ model: given.model, messages, response_format });
  const stream = chat.completions.stream({ model: given.model, messages, response_format });
  const streamed = (await stream.finalChatCompletion()).choices[0].message.parsed;
  return [completion.choices[0].message.parsed, streamed];
}

tell({
  whole: await whole(),
  streamed: await streamed(),
  toolCalls: await toolCalls(),
  runTools: [await runTools(false), await runTools(true)],
  parsed: await parsed(),
});
