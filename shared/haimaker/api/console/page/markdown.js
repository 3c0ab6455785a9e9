/* Answers in Markdown, as far as models use it: code, headings, lists, links, emphasis. What is not understood
   stays text, and nothing becomes HTML but what is made here. https://spec.commonmark.org/ */

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { code } from "./parts.js";

// Each looks at a character a few times at most, however long a line is: an answer may be made to keep a page busy.
const FENCE = /^ {0,3}(`{3,}|~{3,})(?![`~])([^`]*)$/;
const LANGUAGE = /^\s*([\w+#.-]*)/;
const HEADING = /^ {0,3}(#{1,6})\s+(\S.*)$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const INLINE = /(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)|\*\*(.+?)\*\*|(?<![\w*])\*([^*\s](?:[^*]*[^*\s])?)\*(?![\w*])|\[([^[\]]+)\]\((https?:\/\/[^\s)]{1,2000})\)/g;

/** The blocks of a text, also of one whose last block is still coming. Pure. */
export function blocks(text) {
  const found = [];
  const lines = text.split("\n");
  let last = null;
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    const [fence, item, heading] = [FENCE.exec(line), ITEM.exec(line), HEADING.exec(line)];
    if (fence) {
      let end = at + 1;
      while (end < lines.length && !lines[end].trim().startsWith(fence[1])) end += 1;
      found.push({ kind: "code", language: LANGUAGE.exec(fence[2])[1], text: lines.slice(at + 1, end).join("\n") });
      at = end;
      last = null;
    } else if (!line.trim()) {
      last = null;
    } else if (heading) {
      found.push({ kind: "heading", level: heading[1].length, text: withoutHashes(heading[2]) });
      last = null;
    } else if (item) {
      const kind = /\d/.test(item[2]) ? "numbers" : "points";
      if (last?.kind !== kind) found.push((last = { kind, items: [] }));
      last.items.push(item[3]);
    } else if (last?.items) {
      last.items[last.items.length - 1] += `\n${line.trim()}`;
    } else if (last) {
      last.text += `\n${line}`;
    } else {
      found.push((last = { kind: "text", text: line }));
    }
  }
  return found;
}

/** A heading's text, which may end as it begins. */
function withoutHashes(text) {
  let end = text.trimEnd().length;
  while (end && text[end - 1] === "#") end -= 1;
  return text.slice(0, end).trimEnd();
}

/** The parts of a line: [kind, text] or [kind, text, address]. Pure. */
export function parts(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > at) found.push(["text", text.slice(at, match.index)]);
    const [, , inside, strong, em, label, address] = match;
    found.push(inside !== undefined ? ["code", inside] : strong !== undefined ? ["strong", strong] : em !== undefined ? ["em", em] : ["link", label, address]);
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push(["text", text.slice(at)]);
  return found;
}

const INLINES = {
  text: (text) => text,
  code: (text) => html`<code>${text}</code>`,
  strong: (text) => html`<strong>${text}</strong>`,
  em: (text) => html`<em>${text}</em>`,
  link: (text, address) => html`<a href=${address} target="_blank" rel="noopener noreferrer">${text}</a>`,
};

const inline = (text) => parts(text).map(([kind, ...values]) => INLINES[kind](...values));

export function markdown(app, text) {
  return html`<div class="markdown">${blocks(text ?? "").map((block) => shown(app, block))}</div>`;
}

function shown(app, block) {
  switch (block.kind) {
    case "code":
      return html`${block.language ? html`<small>${block.language}</small>` : nothing}${code(app, block.text, "Code")}`;
    case "heading":
      return html`<p class="title" role="heading" aria-level=${Math.min(6, block.level + 2)}><strong>${inline(block.text)}</strong></p>`;
    case "numbers":
      return html`<ol>${block.items.map((item) => html`<li>${inline(item)}</li>`)}</ol>`;
    case "points":
      return html`<ul>${block.items.map((item) => html`<li>${inline(item)}</li>`)}</ul>`;
    default:
      return html`<p>${inline(block.text)}</p>`;
  }
}
