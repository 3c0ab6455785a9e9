/* Rows of a report as columns of a chart. Pure. */

import { counted } from "./format.js";

export const METRICS = {
  spend: ["Spend", (row) => row.spend],
  requests: ["Requests", (row) => row.requests],
  tokens: ["Tokens", (row) => row.input_tokens + row.output_tokens],
};
export const OTHERS = "others";

const AMOUNTS = ["requests", "errors", "input_tokens", "output_tokens", "spend"];

/** Every UTC day from one to another, as 2026-11-22. */
export function days(first, last) {
  const found = [];
  for (let at = Date.parse(first); at <= Date.parse(last); at += 86_400_000) found.push(new Date(at).toISOString().slice(0, 10));
  return found;
}

/** The day, in UTC, so many days ago. */
export function daysAgo(number, now = Date.now()) {
  return new Date(now - number * 86_400_000).toISOString().slice(0, 10);
}

/** What a row is about: an id to ask for, and a name for people. */
export function named(row, by) {
  if (by === "team") return { id: row.team, label: row.team_alias ?? row.team ?? OTHERS };
  if (by !== "key" || row.key === null) return { id: row[by], label: row[by] ?? OTHERS };
  return { id: row.key, label: row.key_alias ?? `${row.key.slice(0, 10)}…` };
}

/** One row per name, over all days, the dearest first. */
export function totals(rows, by) {
  const found = new Map();
  for (const row of rows) {
    const { id, label } = named(row, by);
    const sum = found.get(id) ?? { id, label, ...Object.fromEntries(AMOUNTS.map((amount) => [amount, 0])) };
    for (const amount of AMOUNTS) sum[amount] += row[amount];
    found.set(id, sum);
  }
  return [...found.values()].sort((a, b) => b.spend - a.spend || b.requests - a.requests || (a.label < b.label ? -1 : 1));
}

/** A value per day for each of the `most` largest names, and for the others together; rows without a name are of `others` more. */
export function series(rows, by, metric, dates, most = 6, others = 0) {
  const value = METRICS[metric][1];
  const place = new Map(dates.map((date, index) => [date, index]));
  const groups = new Map();
  for (const row of rows) {
    const { id, label } = named(row, by);
    const group = groups.get(id) ?? { id, label, total: 0, values: dates.map(() => 0) };
    group.total += value(row);
    if (place.has(row.date)) group.values[place.get(row.date)] += value(row);
    groups.set(id, group);
  }
  const unnamed = groups.get(null);
  groups.delete(null);
  const all = [...groups.values()].filter((group) => group.total > 0).sort((a, b) => b.total - a.total);
  const rest = all.splice(unnamed?.total || all.length > most + 1 ? most : most + 1);
  const number = rest.length + (unnamed ? others : 0);
  if (unnamed?.total) rest.push(unnamed);
  if (!rest.length) return all;
  const sum = (index) => rest.reduce((whole, group) => whole + group.values[index], 0);
  const total = rest.reduce((whole, group) => whole + group.total, 0);
  return [...all, { id: null, label: counted(number, "other"), total, values: dates.map((_, index) => sum(index)) }];
}

/** The round number at or above a value that a scale ends with, and its steps. */
export function scale(most, steps = 4) {
  if (!(most > 0)) return { top: 1, ticks: [0, 1] };
  const rough = most / steps;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const number = Math.ceil(most / step - 0.001);
  return { top: step * number, ticks: Array.from({ length: number + 1 }, (_, index) => step * index) };
}
