// The first view of the operator's page: what is up, what waits, the last 24 hours, failures.

import { json } from "./api.js";
import { make, table } from "./elements.js";
import { duration, moment, number, t } from "./texts.js";

const COMPONENTS = ["ledger", "store", "broker", "worker"];
const WIDTH = 480;
const HEIGHT = 100;

export async function overview() {
  const [found, health] = await Promise.all([json("/v1/installation"), readiness()]);
  const open = document.getElementById("hours-table")?.open; // it is drawn anew every ten seconds
  return [
    badges(health),
    facts(found),
    make("h3", { textContent: t("hours") }),
    ...hours(found.hours, open),
    make("h3", { textContent: t("failures") }),
    table(t("failures"), [t("code"), t("reason"), t("count"), t("last")], found.failures.map((one) => [
      make("a", { href: `/problems/${one.code}`, textContent: one.code }), one.title, number(one.count, 0), moment(one.last_at),
    ])),
  ];
}

// Without ledger or store the answer is a problem, and names what is away.
async function readiness() {
  try {
    return (await json("/readyz")).components;
  } catch ({ problem }) {
    const away = problem?.detail ?? "";
    return Object.fromEntries(COMPONENTS.map((name) => [name, away.includes(name) ? "down" : "up"]));
  }
}

function badges(health) {
  const all = COMPONENTS.map((name) => make("li", {
    textContent: `${t(name)}: ${t(health[name])}`, className: health[name] === "up" ? "" : "bad",
  }));
  return make("ul", { className: "badges" }, ...all);
}

function facts({ queue, processing, workers, finished_per_minute: rate }) {
  const length = ({ images, megapixels }) => t("photosAndMegapixels", { count: number(images, 0), megapixels: number(megapixels, megapixels < 10 ? 1 : 0) });
  const since = [queue.interactive.oldest_at, queue.bulk.oldest_at].filter(Boolean).map(Date.parse);
  const rows = [
    [t("waitingSingle"), length(queue.interactive)],
    [t("waitingBulk"), length(queue.bulk)],
    [t("oldest"), since.length ? duration((Date.now() - Math.min(...since)) / 1000) : t("noWait")],
    [t("working"), number(processing, 0)],
    [t("workers"), number(workers, 0)],
    [t("perMinute"), number(rate, 1)],
  ];
  return make("dl", {}, ...rows.map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));
}

function hours(all, open) {
  const rows = all.map(({ start, megapixels, counts }) => {
    const { succeeded = 0, failed = 0 } = counts;
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return { start, megapixels, succeeded, failed, others: total - succeeded - failed, total };
  });
  const sum = (name) => rows.reduce((whole, row) => whole + row[name], 0);
  const text = t("hoursText", { succeeded: sum("succeeded"), failed: sum("failed"), open: sum("others") });
  const heads = ["hour", "submitted", "succeeded", "failedMany", "others", "megapixels"].map((key) => t(key));
  const cells = rows.map((row) => [
    moment(row.start), ...[row.total, row.succeeded, row.failed, row.others].map((count) => number(count, 0)), number(row.megapixels, 1),
  ]);
  const details = make("details", { id: "hours-table", open: Boolean(open) }, make("summary", { textContent: t("asTable") }), table(t("hours"), heads, cells.reverse()));
  const ends = make("p", { className: "ends quiet" }, ...[rows[0], rows.at(-1)].map(({ start }) => make("span", { textContent: moment(start) })));
  return [make("p", { textContent: text }), chart(rows, text), ends, details];
}

// Bars by hour, each of three parts upon each other.
function chart(rows, label) {
  const image = draw("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  const most = Math.max(1, ...rows.map(({ total }) => total));
  const step = WIDTH / rows.length;
  rows.forEach((row, number_) => {
    let top = HEIGHT;
    for (const part of ["succeeded", "failed", "others"]) {
      const height = (HEIGHT * row[part]) / most;
      top -= height;
      if (height) image.append(draw("rect", { class: part, x: number_ * step + 1, y: top, width: step - 2, height }));
    }
  });
  return image;
}

function draw(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}
