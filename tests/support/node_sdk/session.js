// A script's arguments, its client, and how it tells what it found: one line of JSON.

import OpenAI from "openai";

export const given = JSON.parse(process.argv[2]);
export const client = new OpenAI({ baseURL: given.url, apiKey: given.key, maxRetries: 0 });

export function tell(found) {
  console.log(JSON.stringify(found));
}

/** What a caller can know of an error, or `{ class: null }` if there was none. */
export async function caught(promise) {
  try {
    await promise;
    return { class: null };
  } catch (error) {
    const { status, code, type, param } = error;
    return { class: error.constructor.name, status, code, type, param, id: error.requestID, message: error.message };
  }
}

export async function collected(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** Waits until so many requests of this key are being answered; none means that all are settled. */
export async function underWay(count) {
  for (;;) {
    const { info } = await client.get("/key/info");
    if (info.parallel_requests === count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
