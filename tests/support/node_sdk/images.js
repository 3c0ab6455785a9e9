// Images made, edited and streamed, with files as Node's programs have them: one read from a disk is sent in chunks.

import { createReadStream, readFileSync } from "node:fs";
import { toFile } from "openai";
import { caught, client, collected, given, tell } from "./session.js";

const bytes = readFileSync(given.path);
const file = (name = "Zürich 7.png") => new File([bytes], name, { type: "image/png" });
const edit = (image, more) => client.images.edit({ model: given.model, prompt: "a hat", image, ...more });

const made = await client.images.generate({ model: given.model, prompt: "otter", size: "1024x1024" });
const streamed = await client.images.generate({ model: given.model, prompt: "otter", stream: true, partial_images: 1 });
const events = (await collected(streamed)).map((event) => event.type);

await edit(createReadStream(given.path));
await edit(file(), { mask: file("mask.png"), n: 1 });
await edit(await toFile(bytes, "a.png", { type: "image/png" }));
await edit(new Blob([bytes], { type: "image/png" }));
await edit([createReadStream(given.path), file()], { size: "1024x1024" });
const refused = await caught(edit(await toFile(Buffer.from("GIF89a"), "a.gif")));
const missing = await caught(edit([]));
const large = new Blob([Buffer.alloc(given.tooLarge)]);
const tooLarge = [await caught(edit(large)), await caught(edit(large.stream()))];

const same = made.data[0].b64_json === bytes.toString("base64");
tell({ same, cost: made.usage.cost, events, refused, missing, tooLarge });
