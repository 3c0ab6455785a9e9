// What is thrown for which answer, what is tried again, and what a client says of its timeouts.

import { caught, client, collected, given, tell } from "./session.js";

const ask = (content, { with: by = client, ...options } = {}) =>
  by.chat.completions.create({ model: given.model, messages: [{ role: "user", content }], ...options });

const statuses = {};
for (const content of given.statuses) statuses[content] = await caught(ask(content));

const retrying = client.withOptions({ maxRetries: 1 });
const retried = {};
for (const content of given.retried) retried[content] = (await caught(ask(content, { with: retrying }))).class;

let spentCalls = 0;
const counting = (...call) => {
  spentCalls += 1;
  return fetch(...call);
};
const spending = client.withOptions({ apiKey: given.spentKey, maxRetries: 5, fetch: counting });

const others = {
  unknownKey: await caught(ask("", { with: client.withOptions({ apiKey: "sk-hm-unknown" }) })),
  spent: { ...(await caught(ask("", { with: spending }))), calls: spentCalls },
  noMessages: await caught(client.chat.completions.create({ model: given.model, messages: [] })),
  unknownPath: await caught(client.post("/nothing/here", { body: {} })),
  brokenStream: await caught(ask(given.broken, { stream: true }).then(collected)),
};

/** What is said of a call's timeout, and of the client's own. */
async function sentTimeout(ofCall, ofClient) {
  let said;
  const fetch = async (_url, { headers }) => {
    said = new Headers(headers).get("x-stainless-timeout");
    return Response.json({});
  };
  await client.withOptions({ fetch, ...ofClient }).models.list(ofCall);
  return said;
}

const ofCalls = await Promise.all(given.timeouts_ms.map((timeout) => sentTimeout({ timeout })));
tell({ statuses, retried, ...others, timeouts: [await sentTimeout({}, { timeout: 5_000 }), ...ofCalls] });
