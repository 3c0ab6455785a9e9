/* A chat request as a person would write it, in each of the formats that the gateway takes. The key is never in it: each sample takes it
   from the environment. Pure. */

export const FORMATS = { chat: "Chat Completions", responses: "Responses", messages: "Messages", gemini: "Gemini" };
export const LANGUAGES = { curl: "curl", python: "Python", node: "Node" };
/** Messages wants a bound of the answer. */
const MOST_TOKENS = 4096;
const KEY = { python: 'os.environ["HAIMAKER_KEY"]', node: "process.env.HAIMAKER_KEY" };

/** The sample of a request that is given in the shape of a chat. */
export function sample(format, language, chat, baseUrl) {
  const asked = translate[format](chat);
  return { curl, python, node }[language](format, asked, baseUrl, chat.stream);
}

const system = (chat) => chat.messages.filter(({ role }) => role === "system").map(({ content }) => content).join("\n");
const turns = (chat) => chat.messages.filter(({ role }) => role !== "system");
const given = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== ""));

const functions = (chat) => chat.tools?.map(({ function: found }) => found);
const schema = (chat) => chat.response_format?.json_schema?.schema;
const parts = (content) => (typeof content === "string" ? [{ type: "text", text: content }] : content ?? []);
/** A data URL's type and data. */
const dataOf = (url) => ({ type: url.slice(5, url.indexOf(";")), data: url.slice(url.indexOf(",") + 1) });
const argumentsOf = (call) => JSON.parse(call.function.arguments || "{}");

/** Each part of a content by its type, text and images; a text alone stays one. */
function contentFor(content, text, image) {
  return typeof content === "string" ? content : parts(content).map((part) => (part.type === "text" ? text(part.text) : image(part.image_url.url)));
}

const inResponses = ({ role, content, tool_calls: calls, tool_call_id: id }) => {
  if (role === "tool") return [{ type: "function_call_output", call_id: id, output: content }];
  const said = content ? [{ role, content: contentFor(content, (text) => ({ type: "input_text", text }), (url) => ({ type: "input_image", image_url: url })) }] : [];
  return [...said, ...(calls ?? []).map((call) => ({ type: "function_call", call_id: call.id, name: call.function.name, arguments: call.function.arguments }))];
};

const inMessages = ({ role, content, tool_calls: calls, tool_call_id: id }) => {
  if (role === "tool") return { role: "user", content: [{ type: "tool_result", tool_use_id: id, content }] };
  const image = (url) => ({ type: "image", source: { type: "base64", media_type: dataOf(url).type, data: dataOf(url).data } });
  if (!calls) return { role, content: contentFor(content, (text) => ({ type: "text", text }), image) };
  const used = calls.map((call) => ({ type: "tool_use", id: call.id, name: call.function.name, input: argumentsOf(call) }));
  return { role, content: [...(content ? [{ type: "text", text: content }] : []), ...used] };
};

const inGemini = (names) => ({ role, content, tool_calls: calls, tool_call_id: id }) => {
  if (role === "tool") return { role: "user", parts: [{ functionResponse: { name: names[id], response: { result: content } } }] };
  const said = parts(content).map((part) => (part.type === "text" ? { text: part.text } : { inlineData: { mimeType: dataOf(part.image_url.url).type, data: dataOf(part.image_url.url).data } }));
  const called = (calls ?? []).map((call) => ({ functionCall: { name: call.function.name, args: argumentsOf(call) } }));
  return { role: role === "user" ? "user" : "model", parts: [...said, ...called] };
};

export const translate = {
  chat: (chat) => chat,
  responses: (chat) => given({
    model: chat.model, instructions: system(chat), input: turns(chat).flatMap(inResponses), temperature: chat.temperature,
    max_output_tokens: chat.max_tokens, stream: chat.stream,
    reasoning: chat.reasoning_effort && { effort: chat.reasoning_effort },
    tools: functions(chat)?.map((found) => ({ type: "function", ...found })),
    text: schema(chat) && { format: { type: "json_schema", name: "answer", schema: schema(chat) } },
  }),
  messages: (chat) => given({
    model: chat.model, max_tokens: chat.max_tokens ?? MOST_TOKENS, system: system(chat), messages: turns(chat).map(inMessages),
    temperature: chat.temperature, stream: chat.stream,
    tools: functions(chat)?.map(({ name, description, parameters }) => given({ name, description, input_schema: parameters ?? { type: "object" } })),
    output_config: chat.reasoning_effort || schema(chat)
      ? given({ effort: chat.reasoning_effort, format: schema(chat) && { type: "json_schema", schema: schema(chat) } }) : undefined,
  }),
  gemini: (chat) => {
    const names = Object.fromEntries(chat.messages.flatMap((message) => message.tool_calls ?? []).map((call) => [call.id, call.function.name]));
    const config = given({
      temperature: chat.temperature, maxOutputTokens: chat.max_tokens,
      thinkingConfig: chat.reasoning_effort && { thinkingLevel: chat.reasoning_effort },
      ...(schema(chat) ? { responseMimeType: "application/json", responseJsonSchema: schema(chat) } : {}),
    });
    return given({
      model: chat.model,
      contents: turns(chat).map(inGemini(names)),
      systemInstruction: system(chat) ? { parts: [{ text: system(chat) }] } : undefined,
      tools: chat.tools && [{ functionDeclarations: functions(chat).map(({ name, description, parameters }) => given({ name, description, parametersJsonSchema: parameters })) }],
      generationConfig: Object.keys(config).length ? config : undefined,
    });
  },
};

function curl(format, asked, baseUrl, streams) {
  const { model, ...rest } = asked;
  const path = {
    chat: "/chat/completions", responses: "/responses", messages: "/messages",
    gemini: `/v1beta/models/${model}:${streams ? "streamGenerateContent?alt=sse" : "generateContent"}`,
  }[format];
  const text = JSON.stringify(format === "gemini" ? rest : asked, null, 2).replaceAll("'", "'\\''");
  const key = { messages: "x-api-key: ", gemini: "x-goog-api-key: " }[format] ?? "Authorization: Bearer ";
  const more = format === "messages" ? "  -H 'anthropic-version: 2023-06-01' \\\n" : "";
  return `curl ${streams ? "-N " : ""}'${baseUrl}${path}' \\
  -H "${key}$HAIMAKER_KEY" \\
${more}  -H 'Content-Type: application/json' \\
  -d '${text}'`;
}

const root = (baseUrl) => baseUrl.replace(/\/v1$/, "");

function python(format, asked, baseUrl, streams) {
  const fields = Object.entries(format === "gemini" || format === "chat" ? asked : without(asked, "stream"))
    .map(([name, value]) => `    ${name}=${pythonValue(value, 4)},\n`).join("");
  const heads = {
    openai: `import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url=${JSON.stringify(baseUrl)}, api_key=${KEY.python})\n\n`,
    anthropic: `import os\n\nfrom anthropic import Anthropic\n\nclient = Anthropic(base_url=${JSON.stringify(root(baseUrl))}, auth_token=${KEY.python})\n\n`,
    google: `import os\n\nfrom google import genai\n\nclient = genai.Client(api_key=${KEY.python}, http_options={"base_url": ${JSON.stringify(baseUrl)}, "api_version": "v1beta"})\n\n`,
  };
  switch (format) {
    case "chat":
      return streams
        ? `${heads.openai}stream = client.chat.completions.create(\n${fields})\nfor chunk in stream:\n    for choice in chunk.choices:\n        print(choice.delta.content or "", end="", flush=True)\nprint()`
        : `${heads.openai}answer = client.chat.completions.create(\n${fields})\nprint(answer.choices[0].message.content)`;
    case "responses":
      return streams
        ? `${heads.openai}with client.responses.stream(\n${fields}) as stream:\n    for event in stream:\n        if event.type == "response.output_text.delta":\n            print(event.delta, end="", flush=True)\nprint()`
        : `${heads.openai}answer = client.responses.create(\n${fields})\nprint(answer.output_text)`;
    case "messages":
      return streams
        ? `${heads.anthropic}with client.messages.stream(\n${fields}) as stream:\n    for text in stream.text_stream:\n        print(text, end="", flush=True)\nprint()`
        : `${heads.anthropic}answer = client.messages.create(\n${fields})\nprint("".join(block.text for block in answer.content if block.type == "text"))`;
    default: {
      if (JSON.stringify(asked).includes('"inlineData"')) heads.google = `import base64\n${heads.google}`;
      const call = googleFields(asked, (name, value) => `    ${name}=${pythonValue(value, 4)},\n`, { max: "max_output_tokens", system: "system_instruction" });
      return streams
        ? `${heads.google}for chunk in client.models.generate_content_stream(\n${call}):\n    print(chunk.text or "", end="", flush=True)\nprint()`
        : `${heads.google}answer = client.models.generate_content(\n${call})\nprint(answer.text)`;
    }
  }
}

function node(format, asked, baseUrl, streams) {
  const fields = (body) => JSON.stringify(body, null, 2);
  const heads = {
    openai: `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: ${JSON.stringify(baseUrl)}, apiKey: ${KEY.node} });\n\n`,
    anthropic: `import Anthropic from "@anthropic-ai/sdk";\n\nconst client = new Anthropic({ baseURL: ${JSON.stringify(root(baseUrl))}, authToken: ${KEY.node} });\n\n`,
    google: `import { GoogleGenAI } from "@google/genai";\n\nconst client = new GoogleGenAI({ apiKey: ${KEY.node}, httpOptions: { baseUrl: ${JSON.stringify(baseUrl)}, apiVersion: "v1beta" } });\n\n`,
  };
  switch (format) {
    case "chat":
      return streams
        ? `${heads.openai}const stream = await client.chat.completions.create(${fields(asked)});\nfor await (const chunk of stream) {\n  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n}\nconsole.log();`
        : `${heads.openai}const answer = await client.chat.completions.create(${fields(asked)});\nconsole.log(answer.choices[0].message.content);`;
    case "responses":
      return streams
        ? `${heads.openai}const stream = await client.responses.create(${fields(asked)});\nfor await (const event of stream) {\n  if (event.type === "response.output_text.delta") process.stdout.write(event.delta);\n}\nconsole.log();`
        : `${heads.openai}const answer = await client.responses.create(${fields(asked)});\nconsole.log(answer.output_text);`;
    case "messages":
      return streams
        ? `${heads.anthropic}const stream = client.messages.stream(${fields(without(asked, "stream"))});\nstream.on("text", (text) => process.stdout.write(text));\nawait stream.finalMessage();\nconsole.log();`
        : `${heads.anthropic}const answer = await client.messages.create(${fields(asked)});\nconsole.log(answer.content.map((block) => block.text ?? "").join(""));`;
    default: {
      const { model, contents, systemInstruction, tools, generationConfig } = asked;
      const config = given({ systemInstruction: systemInstruction?.parts[0].text, tools, ...generationConfig });
      const body = fields(given({ model, contents, config: Object.keys(config).length ? config : undefined }));
      return streams
        ? `${heads.google}const stream = await client.models.generateContentStream(${body});\nfor await (const chunk of stream) {\n  process.stdout.write(chunk.text ?? "");\n}\nconsole.log();`
        : `${heads.google}const answer = await client.models.generateContent(${body});\nconsole.log(answer.text);`;
    }
  }
}

/** Google's SDKs have what is set beside the contents in one argument. */
function googleFields({ model, contents, systemInstruction, tools, generationConfig = {} }, write, names) {
  const { maxOutputTokens, ...others } = generationConfig;
  const config = given({ [names.system]: systemInstruction?.parts[0].text, [names.max]: maxOutputTokens, tools, ...others });
  return Object.entries(given({ model, contents, config: Object.keys(config).length ? config : undefined })).map(([name, value]) => write(name, value)).join("");
}

function without(body, name) {
  const { [name]: _left, ...rest } = body;
  return rest;
}

function pythonValue(value, indent) {
  const [here, inner] = [" ".repeat(indent), " ".repeat(indent + 4)];
  if (value?.inlineData) return `{"inline_data": {"mime_type": "${value.inlineData.mimeType}", "data": base64.b64decode("${value.inlineData.data}")}}`;
  if (Array.isArray(value)) return `[\n${value.map((item) => `${inner}${pythonValue(item, indent + 4)},\n`).join("")}${here}]`;
  if (value && typeof value === "object") return `{${Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${pythonValue(item, indent)}`).join(", ")}}`;
  if (typeof value === "boolean") return value ? "True" : "False";
  return value === null ? "None" : JSON.stringify(value);
}
