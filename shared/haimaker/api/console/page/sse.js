/* Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */

/** The data of each event of a body, a ReadableStream of bytes. */
export async function* events(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      const lines = text.split(/\r\n|\n|\r(?!$)/);
      text = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
        if (line === "" && data.length) {
          yield data.join("\n");
          data = [];
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
