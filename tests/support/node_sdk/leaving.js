// Three ways to give up an answer while it is being made. The process stays until the gateway has settled all of them.

import { caught, client, given, tell, underWay } from "./session.js";

const body = { model: given.model, messages: [{ role: "user", content: "Grüezi" }] };
const controller = new AbortController();

const whole = caught(client.chat.completions.create(body, { signal: controller.signal }));
const aborted = await client.chat.completions.create({ ...body, stream: true });
const broken = await client.chat.completions.create({ ...body, stream: true });
await underWay(3);

const read = [];
for await (const chunk of aborted) {
  read.push(chunk.choices[0].delta.content);
  if (read.length === 2) aborted.controller.abort();
}
for await (const chunk of broken) {
  read.push(chunk.choices[0].delta.content);
  if (read.length === 4) break;
}
controller.abort();
await underWay(0);
tell({ whole: (await whole).class, read });
