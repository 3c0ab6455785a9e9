/* Charts as SVG in percent of the place that they get, so that they fit any width and take their colours from the page. */

import { html, nothing, svg } from "./vendor/lit-html/lit-html.js";
import { day } from "./format.js";
import { scale } from "./series.js";

const COLOURS = 8;
const LABELS = 6;
const GAP = 0.18;

/** Columns by day, one part per group. The legend tells one day, which the pointer or the arrow keys choose, or all of them. */
export function columns(app, { label, dates, groups, format, formatAxis = format }) {
  const sums = dates.map((_, index) => groups.reduce((sum, group) => sum + group.values[index], 0));
  const { top, ticks } = scale(Math.max(...sums, 0));
  const at = app.pointed?.label === label && app.pointed.index < dates.length ? app.pointed.index : null;
  const point = (index) => {
    app.pointed = index === null ? null : { label, index };
    app.draw();
  };

  function move(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    point(Math.min(dates.length - 1, Math.max(0, at === null ? dates.length - 1 : at + step)));
  }

  return html`<div class="chart" tabindex="0" role="group" aria-label="${label}, by day. Arrow keys choose a day." @keydown=${move} @blur=${() => point(null)}>
    <div class="plot">
      <ol class="axis" aria-hidden="true">${[...ticks].reverse().map((tick) => html`<li>${formatAxis(tick)}</li>`)}</ol>
      <svg class="bars" aria-hidden="true" @pointerleave=${() => point(null)}>
        ${ticks.map((tick) => svg`<line x1="0" x2="100%" y1=${percent(1 - tick / top)} y2=${percent(1 - tick / top)}></line>`)}
        ${dates.map((_, index) => column(groups, index, dates.length, top, at, point))}
      </svg>
      <svg class="dates" aria-hidden="true">${labels(dates)}</svg>
    </div>
    <div class="legend" aria-live="polite">
      <span class="when">${at === null ? `${day(dates[0])} – ${day(dates.at(-1))}` : day(dates[at])}</span>
      ${groups.map((group, index) => html`<span><i class=${colour(group, index)}></i>${group.label}
        <b>${format(at === null ? group.total : group.values[at])}</b></span>`)}
      ${at === null || groups.length < 2 ? nothing : html`<span>together <b>${format(sums[at])}</b></span>`}
    </div>
  </div>`;
}

function column(groups, index, length, top, at, point) {
  const x = percent((index + GAP / 2) / length);
  const width = percent((1 - GAP) / length);
  let base = 0;
  const parts = groups.map((group, number) => {
    const size = group.values[index] / top;
    base += size;
    return size ? svg`<rect class=${colour(group, number)} x=${x} width=${width} y=${percent(1 - base)} height=${percent(size)}></rect>` : nothing;
  });
  return svg`<g class=${at === null || at === index ? "" : "dim"} @pointerenter=${() => point(index)}>
    ${parts}<rect class="catch" x=${percent(index / length)} width=${percent(1 / length)} y="0" height="100%"></rect></g>`;
}

function labels(dates) {
  const step = Math.max(1, Math.ceil(dates.length / LABELS));
  return dates.map((date, index) => ((dates.length - 1 - index) % step === 0 && (index > 0 || step === 1)
    ? svg`<text x=${percent((index + 0.5) / dates.length)} y="14" text-anchor=${index === dates.length - 1 && dates.length > 14 ? "end" : "middle"}>${day(date)}</text>` : nothing));
}

/** A value per day, small. */
export function sparkline(values, label) {
  const most = Math.max(...values);
  if (!(most > 0)) return nothing;
  return html`<svg class="spark" role="img" aria-label=${label}>${values.map((value, index) => svg`<rect
    x=${percent((index + GAP / 2) / values.length)} width=${percent((1 - GAP) / values.length)}
    y=${percent(1 - value / most)} height=${percent(value / most)}></rect>`)}</svg>`;
}

/** How much of something is used. */
export function meter(part, all, label) {
  const share = all > 0 ? Math.min(1, part / all) : 1;
  return html`<svg class="meter ${share >= 1 ? "bad" : share >= 0.8 ? "warn" : ""}" role="img" aria-label=${label}>
    <rect width="100%" height="100%" rx="3"></rect><rect class="used" width=${percent(share)} height="100%" rx="3"></rect></svg>`;
}

export function colour(group, index) {
  return group.id === null ? `c${COLOURS - 1}` : `c${index % COLOURS}`;
}

function percent(share) {
  return `${+(100 * share).toFixed(3)}%`;
}
