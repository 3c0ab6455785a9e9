/* A chat request as a person would write it. The key is never in it: each takes it from the environment. Pure. */

export const SAMPLES = { curl: ["curl", curl], python: ["Python", python], node: ["Node", node] };

export function curl(body, baseUrl) {
  const text = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  return `curl ${body.stream ? "-N " : ""}${baseUrl}/chat/completions \\
  -H "Authorization: Bearer $HAIMAKER_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '${text}'`;
}

export function python(body, baseUrl) {
  const fields = Object.entries(body).map(([name, value]) => `    ${name}=${pythonValue(value, 4)},\n`).join("");
  const head = `import os

from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(baseUrl)}, api_key=os.environ["HAIMAKER_KEY"])

`;
  if (!body.stream) return `${head}answer = client.chat.completions.create(\n${fields})\nprint(answer.choices[0].message.content)`;
  return `${head}stream = client.chat.completions.create(
${fields})
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
print()`;
}

export function node(body, baseUrl) {
  const fields = JSON.stringify(body, null, 2);
  const head = `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(baseUrl)}, apiKey: process.env.HAIMAKER_KEY });

`;
  if (!body.stream) return `${head}const answer = await client.chat.completions.create(${fields});\nconsole.log(answer.choices[0].message.content);`;
  return `${head}const stream = await client.chat.completions.create(${fields});
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}
console.log();`;
}

function pythonValue(value, indent) {
  const [here, inner] = [" ".repeat(indent), " ".repeat(indent + 4)];
  if (Array.isArray(value)) return `[\n${value.map((item) => `${inner}${pythonValue(item, indent + 4)},\n`).join("")}${here}]`;
  if (value && typeof value === "object") return `{${Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${pythonValue(item, indent)}`).join(", ")}}`;
  if (typeof value === "boolean") return value ? "True" : "False";
  return value === null ? "None" : JSON.stringify(value);
}
