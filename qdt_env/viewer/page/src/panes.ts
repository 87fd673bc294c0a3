// The panes beside the plans: robots at a glance, the proof, the numbers, the legend, the figures on top.
import { Palette } from "./colours";
import { h, s } from "./dom";
import { CheckedHead, LedgerCheck } from "./ledger";
import { verdictClass } from "./log";
import { DELIVERED, Mission, Thing } from "./mission";
import { BOLT, FLAME, MARKS, SHAPES } from "./signs";

/** The figures on top: name, id of the metric, value at a step, digits. */
const FIGURES: [string, string, (mission: Mission, t: number) => number, number][] = [
  ["score", "score", (m, t) => m.score(t), 3],
  ["lives saved", "lives_saved", (m, t) => m.exact("lives_saved", t), 2],
  ["expected survivors", "survivors", (m, t) => m.exact("survivors", t), 2],
  ["handed over", "handed_over", (m, t) => m.handedOver(t), 0],
  ["robots lost", "robots_lost", (m, t) => m.count("lost", t), 0],
  ["aftershocks", "aftershocks", (m, t) => m.count("aftershocks", t), 0],
  ["forged, accepted", "messages_forged", (m, t) => m.forgedTill[t], 0],
  ["key bits spent", "key_bits", (m, t) => m.exact("key_bits", t), 0],
];

export class Figures {
  private readonly cells: HTMLElement[];

  constructor(private readonly mission: Mission, place: HTMLElement) {
    this.cells = FIGURES.map(([name, metric]) => {
      const value = h("dd", { "data-metric": metric });
      place.append(h("dl", { class: "kpi" }, h("dt", {}, name), value));
      return value;
    });
  }

  at(t: number): void {
    FIGURES.forEach(([, metric, value, digits], k) => {
      const number = value(this.mission, t);
      const words = number.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
      const signed = metric === "lives_saved" && number >= 0 ? `+${words}` : words;
      const cell = this.cells[k];
      const of = metric === "handed_over" ? ` / ${this.mission.header.mission.patients}` : "";
      if (cell.dataset.value === String(number)) return;
      cell.dataset.value = String(number);
      cell.replaceChildren(signed, ...(of ? [h("small", {}, of)] : []));
    });
  }
}

/** All robots at a glance. */
export class RobotPane {
  private drawn = -1;

  constructor(private readonly mission: Mission, private readonly place: HTMLElement, private readonly pick: (thing: Thing) => void) {}

  at(t: number): void {
    if (this.place.hidden || this.drawn === t) return;
    this.drawn = t;
    const { mission } = this;
    this.place.replaceChildren(...mission.header.team.map((kind, r) => {
      const alive = mission.int("robot.alive", t, r) === 1;
      const energy = mission.value("robot.energy", t, r);
      const trust = mission.value("twin.robot.trust", t, r);
      const load = mission.int("robot.patient", t, r);
      const age = mission.ago(Math.max(0, t - mission.int("view.step", t, r)));
      const verdicts = [["▲", "up.verdict"], ["▼", "down.verdict"]].map(([sign, name]) => {
        const verdict = mission.int(name, t, r);
        return verdict < DELIVERED ? null : h("span", { class: `tag v-${verdictClass(verdict)}` }, sign, " ", mission.verdictName(verdict));
      });
      return h("button", { type: "button", class: `robot-card${alive ? "" : " gone"}`, onclick: () => this.pick({ kind: "robot", index: r }) },
        icon(SHAPES[mission.header.names.robot_kinds.indexOf(kind)], "robot", r),
        h("span", { class: "robot-lines" },
          h("b", {}, `${kind} ${r}: ${alive ? (load >= 0 ? `carries patient ${load}` : mission.task(mission.int("robot.task", t, r))) : "lost"}`),
          h("span", { class: "sub" }, `in ${mission.zoneName(mission.int("robot.zone", t, r))} · view ${age} old${mission.int("view.deceived", t, r) ? ", forged" : ""}`),
          h("span", { class: "meters" }, meter("battery", energy, energy < 0.2 ? "red" : energy < 0.5 ? "orange" : "green"),
            meter("trust", trust, trust < mission.header.config.twin.least_trust ? "red" : "accent")),
          h("span", { class: "tags" }, ...verdicts)));
    }));
  }

  stale(): void {
    this.drawn = -1;
  }
}

function meter(name: string, value: number, colour: string): HTMLElement {
  const share = Math.round(100 * Math.max(0, Math.min(1, value)));
  return h("span", { class: "meter", role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": share },
    h("i", {}, name), h("span", { class: "bar" }, h("span", { class: "fill", style: `width:${share}%;background:var(--${colour})` })), h("i", {}, `${share} %`));
}

function icon(path: string, kind: string, label: string | number = ""): SVGElement {
  return s("svg", { viewBox: "-12 -12 24 24", class: `sign ${kind}`, "aria-hidden": "true" },
    s("path", { d: path, class: kind === "robot" ? "body" : `mark ${kind}` }), label !== "" && s("text", { y: 3.6 }, label));
}

/** What the page has checked, in words and with the signed heads. */
export function proofPane(mission: Mission, check: LedgerCheck | null, running: boolean): HTMLElement[] {
  const { recording } = mission;
  const good = (words: string) => h("p", { class: "good" }, words);
  const found: HTMLElement[] = [
    h("h3", {}, "The recording"),
    good(`${recording.records} records, each of which fits the chain of SHA-256 digests.`),
    ...(recording.end ? [] : [h("p", { class: "warn" }, `It was cut after step ${mission.steps}: whoever wrote it was killed, or the file lost its end.`)]),
    facts([["last digest", code(recording.digest)], ["format", String(mission.header.format)], ["written by", `${mission.header.package.name} ${mission.header.package.version}`]]),
    h("h3", {}, "The ledger"),
  ];
  if (!mission.header.ledger) return [...found, h("p", { class: "sub" }, "This mission kept none.")];
  if (running || !check) return [...found, h("p", { class: "sub" }, "Checking …")];
  if (check.problem) found.push(h("p", { class: "bad" }, `Does not hold: ${check.problem}.`));
  else {
    found.push(good(`${check.leaves} leaves: the verdicts and the trust shown are those that the ledger holds.`));
    found.push(good(`${check.heads.length} signed heads: the root was computed anew from the leaves, and every ML-DSA-44 signature is good.`));
    if (check.signed < mission.steps) found.push(h("p", { class: "warn" }, `No head signs the steps after ${check.signed}.`));
  }
  found.push(facts([["ledger id", code(check.logId)]]),
    h("p", { class: "sub" }, "Computed by this page, in your browser. Compare the ledger's id with the one you know: it fixes the keys. The ledger proves that its history was not edited, not that what was written is true."),
    h("table", { class: "heads" }, h("thead", {}, h("tr", {}, ...["leaves", "step", "signed by", "root", ""].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, ...check.heads.map(headRow))));
  return found;
}

const headRow = ({ head }: CheckedHead): HTMLElement =>
  h("tr", {}, h("td", {}, head.size), h("td", {}, head.step), h("td", {}, head.signer.replace("_", " ")),
    h("td", {}, h("code", { title: head.root }, `${head.root.slice(0, 10)}…`)), h("td", { class: "good-mark", "aria-label": "good" }, "✓"));

const code = (words: string): HTMLElement => h("code", { class: "long" }, words);

function facts(rows: [string, string | Node][]): HTMLElement {
  return h("table", { class: "facts" }, h("tbody", {}, ...rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))));
}

/** The mission's metrics and what was played. */
export function numbersPane(mission: Mission): HTMLElement[] {
  const { end } = mission.recording;
  const { mission: played, building, team } = mission.header;
  const kinds = mission.header.names.robot_kinds.map((kind) => [kind, team.filter((one) => one === kind).length] as const);
  const who = Object.entries(played.player).filter(([, name]) => name !== "none").map(([, name]) => name).join(" + ");
  const rows: [string, string][] = [
    ["scenario", played.scenario], ["building", `${building.name}, ${mission.zones} zones, ${building.passages.id.length} passages`],
    ["team", kinds.filter(([, n]) => n).map(([kind, n]) => `${n} ${kind}`).join(", ")], ["played by", who || "the caller"],
    ["suite", played.suite], ["threats", played.threats], ["channel", played.channel], ["seed, episode", `${played.seed}, ${played.episode}`],
    ["control", played.control], ["horizon", `${played.horizon_steps} steps of ${played.dt_s} s`], ["building digest", building.digest.slice(0, 16)],
  ];
  const metrics = end ? Object.entries(end.metrics) : [];
  const words = (value: number) => (Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(4));
  return [
    h("h3", {}, end ? (end.over ? "The mission's metrics" : "The metrics when the recording was ended, before the mission was over") : "Metrics"),
    end ? h("table", { class: "facts numbers" }, h("tbody", {}, ...metrics.map(([name, value]) =>
      h("tr", {}, h("th", { scope: "row" }, name.replaceAll("_", " ")), h("td", { "data-end": name, "data-value": value }, value === -1 ? "–" : words(value))))))
      : h("p", { class: "warn" }, "None: the recording was cut before its end."),
    h("h3", {}, "What was played"), facts(rows),
    h("details", { class: "licences" }, h("summary", {}, "Software within this page"), h("pre", {}, document.getElementById("licences")?.textContent ?? "")),
  ];
}

/** Everything the plans use. */
export function legend(mission: Mission, colours: Palette): HTMLElement {
  const swatch = (colour: string, words: string) => h("span", { class: "key" }, h("span", { class: "swatch", style: `background:${colour}` }), words);
  const ramp = (title: string, pairs: [string, string][]) => h("div", { class: "keys" }, h("b", {}, title), ...pairs.map(([colour, words]) => swatch(colour, words)));
  const sign = (path: string, kind: string, words: string) => h("span", { class: "key" }, icon(path, kind), words);
  const round = (colour: string, words: string, extra = "") => h("span", { class: "key" }, h("span", { class: `round ${extra}`, style: `background:${colour}` }), words);
  const names = mission.header.names.damage.map((name) => name.toLowerCase());
  return h("div", { class: "legend" },
    ramp("Damage", [...names.map((name, k) => [colours.damage(k), name] as [string, string]), [colours.damage(NaN), "no news"]]),
    ramp("Age of news", [[colours.age(0), "fresh"], [colours.age(40), mission.ago(40)], [colours.age(200), "old"]]),
    ramp("Trust", [[colours.trust(0), "0"], [colours.trust(0.5), "0.5"], [colours.trust(1), "1 (also as rings)"]]),
    h("div", { class: "keys" }, h("b", {}, "Patients"), round(colours.triage(3), "red: RPM below 7"), round(colours.triage(8), "yellow"), round(colours.triage(12), "green: 11, 12"),
      round(colours.triage(3), "trapped", "diamond"), h("span", { class: "key" }, h("span", { class: "round unseen" }, "?"), "nobody saw")),
    h("div", { class: "keys" }, h("b", {}, "Robots"), ...mission.header.names.robot_kinds.map((kind, k) => sign(SHAPES[k], "robot", kind)),
      h("span", { class: "key" }, h("span", { class: "round halo-sign" }), "under attack now")),
    h("div", { class: "keys" }, h("b", {}, "Building"), ...["entrance", "depot", "gateway", "stair", "elevator"].map((kind) => sign(MARKS[kind], kind, kind)),
      sign(FLAME, "fire", "fire"), h("span", { class: "key" }, h("span", { class: "line open" }), "passage clear"), h("span", { class: "key" }, h("span", { class: "line slow" }), "passage slow"), h("span", { class: "key" }, h("span", { class: "line blocked" }, "✕"), "blocked")),
    h("div", { class: "keys" }, h("b", {}, "Messages that failed"), ...[5, 3, 2, 1, 4].map((verdict) =>
      h("span", { class: "key" }, s("svg", { viewBox: "-8 -9 16 18", class: "sign" }, s("path", { d: BOLT, fill: colours.verdict[verdict] })), mission.verdictName(verdict)))),
  );
}
