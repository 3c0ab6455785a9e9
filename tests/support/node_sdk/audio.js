// Speech as bytes and as a stream of them, and what is heard in a file, in the ways that a Node program asks for it.

import { createReadStream, readFileSync } from "node:fs";
import { toFile } from "openai";
import { client, collected, given, tell } from "./session.js";

const { speech, transcriptions, translations } = client.audio;
const hear = (more) => transcriptions.create({ model: given.hears, file: createReadStream(given.path), ...more });

const spoken = await speech.create({ model: given.speaks, voice: "alloy", input: "Grüezi" });
const sound = Buffer.from(await spoken.arrayBuffer()).toString("base64");
const inPieces = await speech.create({ model: given.speaks, voice: "alloy", input: "Grüezi", response_format: "opus" });
const pieces = Buffer.concat(await collected(inPieces.body)).toString("base64");

const heard = await hear({ language: "de", timestamp_granularities: ["word", "segment"], response_format: "verbose_json" });
const text = await hear({ response_format: "text" });
const events = await collected(await hear({ stream: true }));
const fromBytes = await hear({ file: await toFile(readFileSync(given.path), "Zürich.wav", { type: "audio/wav" }) });
const translated = await translations.create({ model: given.hears, file: createReadStream(given.path) });

tell({
  speech: [spoken.headers.get("content-type"), sound, inPieces.headers.get("content-type"), pieces],
  texts: [heard.text, text, events.at(-1).text, fromBytes.text, translated.text],
  cost: heard.usage.cost,
});
