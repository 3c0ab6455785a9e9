/* What records tell of attempts and of their providers. Pure. */

/** What `/v1/generation` tells, as a row of `/spend/logs`. */
export function fromGeneration(found) {
  const [provider, ...model] = (found.model ?? "").split("/");
  return {
    request_id: found.id, started_at: found.created_at, status: found.status, spend: found.total_cost, cost_known: true,
    asked_model: null, provider, model: model.join("/"), stream: found.streamed, user: found.user, tags: [],
    input_tokens: found.tokens_prompt, output_tokens: found.tokens_completion, cached_tokens: found.native_tokens_cached,
    cost_estimated: found.cost_estimated, duration_ms: found.generation_time, first_token_ms: found.streamed ? found.latency : null,
    error: found.error, attempts: found.attempts,
  };
}

/** Attempts and failures by provider, those that fail most first. */
export function byProvider(rows) {
  const found = new Map();
  for (const row of rows) {
    for (const { target, status, code, duration_ms: duration } of row.attempts) {
      const provider = target.split("/")[0];
      const sum = found.get(provider) ?? { provider, attempts: 0, failed: 0, last: null, durations: [] };
      sum.attempts += 1;
      if (status === 200) sum.durations.push(duration);
      else {
        sum.failed += 1;
        if (!sum.last || row.started_at > sum.last.at) sum.last = { status, code, at: row.started_at };
      }
      found.set(provider, sum);
    }
  }
  return [...found.values()]
    .map(({ durations, ...sum }) => ({ ...sum, median_ms: median(durations) }))
    .sort((a, b) => b.failed / b.attempts - a.failed / a.attempts || b.attempts - a.attempts);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor((sorted.length - 1) / 2)] : null;
}
