// Vectors, old completions, verdicts, lists of models; and Azure's client, which puts the model into the path.

import { AzureOpenAI, toFile } from "openai";
import { caught, client, collected, given, tell } from "./session.js";

async function embeddings(by = client) {
  const unsaid = await by.embeddings.create({ model: given.embeds, input: ["a", "b"] });
  const asNumbers = await by.embeddings.create({ model: given.embeds, input: "a", encoding_format: "float" });
  return [...unsaid.data, ...asNumbers.data].map((item) => item.embedding);
}

async function completions() {
  const body = { model: given.model, prompt: "Grüezi" };
  const whole = await client.completions.create(body);
  const chunks = await collected(await client.completions.create({ ...body, stream: true }));
  return [whole.choices[0].text, chunks.map((chunk) => chunk.choices[0]?.text ?? "").join("")];
}

async function flagged() {
  const { results } = await client.moderations.create({ model: "demo/moderation", input: ["I will kill you", "Grüezi"] });
  return results.map((result) => result.flagged);
}

async function models() {
  const ids = (await collected(client.models.list())).map((model) => model.id);
  const one = await client.models.retrieve("openai/gpt-4o-mini");
  return { listed: ids.includes(one.id), id: one.id, unknown: await caught(client.models.retrieve("openai/none")) };
}

async function azure() {
  const endpoint = given.url.replace(/\/v1$/, "");
  const by = new AzureOpenAI({ endpoint, apiKey: given.key, apiVersion: "2024-10-21", maxRetries: 0 });
  const body = { model: given.model, messages: [{ role: "user", content: "Grüezi" }] };
  const whole = await by.chat.completions.create(body);
  const chunks = await collected(await by.chat.completions.create({ ...body, stream: true }));
  const file = await toFile(Buffer.from(given.sound, "base64"), "a.wav");
  const heard = await by.audio.transcriptions.create({ model: given.hears, file });
  const streamed = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
  return { texts: [whole.choices[0].message.content, streamed, heard.text], embeddings: await embeddings(by) };
}

tell({
  embeddings: await embeddings(),
  completions: await completions(),
  flagged: await flagged(),
  models: await models(),
  azure: await azure(),
});
