/* Values as text. Pure. */

const wholes = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** USD, as many decimals as it takes to tell small amounts apart; the gateway counts in billionths. */
export function usd(amount) {
  if (amount == null) return "–";
  const size = Math.abs(amount);
  if (size >= 1000) return `$${wholes.format(amount)}`;
  if (size >= 1 || size === 0) return `$${amount.toFixed(2)}`;
  return `$${significant(amount, 3, 9, 2)}`;
}

/** USD of an axis. */
export function roundUsd(amount) {
  return amount >= 1000 ? `$${compact.format(amount)}` : `$${significant(amount, 3, 9, amount % 1 ? 2 : 0)}`;
}

/** A rate per token as a price per million tokens. */
export function perMillion(rate) {
  return rate == null ? "–" : `$${significant(rate * 1e6, 4, 6, 2)}`;
}

export function count(number) {
  return number == null ? "–" : wholes.format(number);
}

/** `1 key`, `2 keys`. */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export function short(number) {
  return number == null ? "–" : number < 10_000 ? wholes.format(number) : compact.format(number);
}

export function percent(part, all) {
  if (!all || !part) return "0%";
  const share = (100 * part) / all;
  return share < 0.1 ? "<0.1%" : `${share >= 10 ? share.toFixed(0) : share.toFixed(1)}%`;
}

export function milliseconds(ms) {
  if (ms == null) return "–";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** A moment, in the reader's own time. */
export function moment(iso) {
  if (!iso) return "–";
  const then = new Date(iso);
  const year = then.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return then.toLocaleString("en-GB", { day: "numeric", month: "short", year, hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** A UTC day such as 2026-11-22, as 22 Nov. */
export function day(date) {
  return new Date(`${date}T00:00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

/** With so many digits that count, and between `least` and `most` decimals. */
function significant(number, digits, most, least) {
  if (!number) return (0).toFixed(least);
  const decimals = Math.min(most, Math.max(least, digits - 1 - Math.floor(Math.log10(Math.abs(number)))));
  const [whole, fraction = ""] = number.toFixed(decimals).split(".");
  const kept = fraction.replace(/0+$/, "").padEnd(least, "0");
  return kept ? `${whole}.${kept}` : whole;
}
