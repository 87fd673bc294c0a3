// The story of what is selected: how it stands, what the twin believes of it, and what happened to it, by step.
import { h } from "./dom";
import { verdictClass } from "./log";
import { DELAYED, DELIVERED, EMPTY, FORGED, HANDED_OVER, LOST, Mission, NO_KEY, REJECTED, Thing, TRAPPED } from "./mission";

type Row = [string, string | Node, (string | Node)?];
interface Entry { step: number; words: string; mark?: string }
const MOST_ENTRIES = 200;

export class Story {
  constructor(private readonly mission: Mission, private readonly pick: (thing: Thing | null, t?: number) => void) {}

  /** The story as elements. */
  of(thing: Thing, t: number): HTMLElement {
    if (thing.kind === "message") return this.message(thing);
    if (thing.kind === "zone") return this.zone(thing.index, t);
    return thing.kind === "robot" ? this.robot(thing.index, t) : this.patient(thing.index, t);
  }

  private page(title: string, sub: string, rows: Row[], entries: Entry[], t: number, twin = true): HTMLElement {
    const table = h("table", { class: "facts" });
    if (twin) table.append(h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, "truth"), h("th", { scope: "col" }, "twin"))));
    table.append(h("tbody", {}, ...rows.map(([name, truth, believed]) =>
      h("tr", {}, h("th", { scope: "row" }, name),
        believed === undefined && twin ? h("td", { colspan: 2 }, truth) : h("td", {}, truth),
        believed !== undefined && h("td", {}, believed)))));
    return h("div", { class: "story" }, h("h3", {}, title), h("p", { class: "sub" }, sub), table, twin && this.timeline(entries, t));
  }

  private timeline(entries: Entry[], t: number): HTMLElement {
    const kept = entries.slice(-MOST_ENTRIES);
    const items = kept.map((entry) => h("li", { class: entry.step > t ? "later" : entry.step === t ? "now" : "" },
      h("button", { type: "button", onclick: () => this.pick(null, entry.step) },
        h("time", {}, this.mission.clock(entry.step)), h("span", { class: entry.mark ? `dot v-${entry.mark}` : "dot" }), h("span", {}, entry.words))));
    const more = entries.length > kept.length ? h("p", { class: "sub" }, `the last ${kept.length} of ${entries.length}`) : null;
    return h("section", {}, h("h4", {}, "What happened"), more,
      items.length ? h("ol", { class: "timeline" }, ...items) : h("p", { class: "empty" }, "Nothing yet."));
  }

  private link(thing: Thing, words: string): HTMLElement {
    return h("button", { type: "button", class: "link", onclick: () => this.pick(thing) }, words);
  }

  private place(zone: number): string | Node {
    return zone < 0 ? "unknown" : this.link({ kind: "zone", index: zone }, this.mission.zoneName(zone));
  }

  /** Steps at which a number changes, with both numbers. */
  private changes(name: string, k: number, tell: (now: number, before: number, t: number) => string | null, mark?: string): Entry[] {
    const found: Entry[] = [];
    for (let t = 1; t <= this.mission.steps; t++) {
      const [now, before] = [this.mission.int(name, t, k), this.mission.int(name, t - 1, k)];
      const words = now === before ? null : tell(now, before, t);
      if (words) found.push({ step: t, words, mark });
    }
    return found;
  }

  private zone(z: number, t: number): HTMLElement {
    const { mission } = this;
    const { zones } = mission.header.building;
    const written = mission.int("twin.zone.step", t, z);
    const source = mission.int("twin.zone.source", t, z);
    const percent = (x: number) => (Number.isNaN(x) ? "no news" : `${Math.round(100 * x)} %`);
    const believed = mission.value("twin.zone.damage", t, z);
    const here = (before: string, what: string, n: number) =>
      Array.from({ length: n }, (_, k) => k).filter((k) => mission.int(`${before}${what}.zone`, t, k) === z
        && (what === "robot" || ![EMPTY, HANDED_OVER].includes(mission.int(`${before}patient.status`, t, k))));
    const list = (before: string, what: "robot" | "patient", n: number) =>
      h("span", {}, ...here(before, what, n).flatMap((k, i) => [i ? ", " : null, this.link({ kind: what, index: k }, String(k))]));
    const rows: Row[] = [
      ["damage", mission.damageName(mission.int("zone.damage", t, z)), Number.isNaN(believed) ? "no news" : `${mission.damageName(believed)} (${believed.toFixed(1)})`],
      ["smoke", percent(mission.value("zone.smoke", t, z)), percent(mission.value("twin.zone.smoke", t, z))],
      ["robots", list("", "robot", mission.robots), list("twin.", "robot", mission.robots)],
      ["patients", list("", "patient", mission.patients), list("twin.", "patient", mission.patients)],
      ["fire", mission.int("zone.burning", t, z) ? "burning" : "none"],
      ["fixed sensor", `${mission.int("zone.sensor", t, z) ? "works" : "dead"}, trust ${mission.value("twin.zone.sensor_trust", t, z).toFixed(2)}`],
      ["youngest news", written < 0 ? "none but the plan" : `${mission.ago(t - written)} old, from ${mission.sourceName(source)}, trust ${mission.zoneTrust(t, z).toFixed(2)}`],
    ];
    const entries = [
      ...this.changes("zone.damage", z, (now) => `damage becomes ${mission.damageName(now)}`, "rejected"),
      ...this.changes("zone.burning", z, (now) => (now ? "fire breaks out" : "the fire is out"), "forged"),
      ...this.changes("twin.zone.seen", z, (now) => (now ? "the twin hears that a robot has been here" : null), "delivered"),
      ...mission.header.team.flatMap((_, r) => this.changes("robot.zone", r, (now, before) => (now === z ? `robot ${r} comes` : before === z ? `robot ${r} leaves` : null))),
      ...this.believedDamage(z),
    ].sort((a, b) => a.step - b.step);
    const title = `${zones.id[z]} · ${zones.name[z].toLowerCase()}`;
    const department = zones.department[z] === "none" ? "" : ` · ${zones.department[z]}`;
    return this.page(title, `${zones.kind[z].replaceAll("_", " ")}${department} · ${zones.area_m2[z]} m² · storey ${zones.storey[z]}`, rows, entries, t);
  }

  private believedDamage(z: number): Entry[] {
    const { mission } = this;
    const state = (t: number) => mission.damageName(mission.value("twin.zone.damage", t, z));
    const found: Entry[] = [];
    for (let t = 1; t <= mission.steps; t++) {
      if (state(t) !== state(t - 1)) found.push({ step: t, words: `the twin believes: ${state(t)} (${mission.sourceName(mission.int("twin.zone.source", t, z))})`, mark: "delayed" });
    }
    return found;
  }

  private robot(r: number, t: number): HTMLElement {
    const { mission } = this;
    const alive = mission.int("robot.alive", t, r) === 1;
    const age = t - mission.int("view.step", t, r);
    const load = (name: string) => {
      const p = mission.int(name, t, r);
      return p >= 0 ? this.link({ kind: "patient", index: p }, `patient ${p}`) : "nobody";
    };
    const energy = (name: string) => `${Math.round(100 * mission.value(name, t, r))} %`;
    const alarm = mission.int("link.alarm", t, r);
    const flags = mission.header.names.link_flags.filter((_, bit) => mission.int("link.flags", t, r) & (1 << bit));
    const judged = mission.int("twin.robot.judged", t, r);
    const rows: Row[] = [
      ["state", alive ? "works" : "lost", `heard ${mission.ago(t - mission.int("twin.robot.step", t, r))} ago`],
      ["place", this.place(mission.int("robot.zone", t, r)), this.place(mission.int("twin.robot.zone", t, r))],
      ["task", mission.task(mission.int("robot.task", t, r)), mission.task(mission.int("twin.robot.task", t, r))],
      ["doing", alive ? mission.name("verbs", mission.int("robot.verb", t, r)) : "nothing"],
      ["carries", load("robot.patient"), load("twin.robot.patient")],
      ["battery", energy("robot.energy"), energy("twin.robot.energy")],
      ["view in hand", `${mission.ago(Math.max(age, 0))} old${mission.int("view.deceived", t, r) ? ", forged (the robot cannot know)" : ""}`],
      ["trust", `${mission.value("twin.robot.trust", t, r).toFixed(2)}, judged ${judged} times`],
      ["last judgement", judged ? `surprise ${mission.value("twin.robot.surprise", t, r).toFixed(3)}, weight ${mission.value("twin.robot.information", t, r).toFixed(2)}, at ${mission.zoneName(mission.int("twin.robot.judged_zone", t, r))}` : "none"],
      ["link", `${mission.int("link.pool", t, r).toLocaleString("en")} key bits, QBER ${(100 * mission.value("link.qber", t, r)).toFixed(1)} %, ${alarm ? `alarm: ${mission.name("alarms", alarm)}` : "no alarm"}`],
      ["session", flags.map((flag) => flag.replaceAll("_", " ")).join(", ") || "no key"],
      ["under attack", mission.attacks(mission.int("link.attacks", t, r)).join(", ") || "no"],
    ];
    const entries = [
      ...this.changes("robot.task", r, (now) => `sets out: ${mission.task(now)}`),
      ...this.changes("robot.patient", r, (now, before) => (now >= 0 ? `picks up patient ${now}` : `puts down patient ${before}`), "delivered"),
      ...this.changes("robot.event", r, (now) => (now > 1 ? `stops: ${mission.name("robot_events", now)}` : null), "lost"),
      ...this.changes("robot.alive", r, () => "is lost", "forged"),
      ...this.changes("view.deceived", r, (now) => (now ? "acts on a forged view" : "acts on a true view again"), "forged"),
      ...this.changes("link.alarm", r, (now) => (now ? `alarm on its link: ${mission.name("alarms", now)}` : "the alarm on its link ends"), "no-key"),
      ...this.trustSteps(r),
    ].sort((a, b) => a.step - b.step);
    return this.page(`Robot ${r}`, `${mission.header.team[r]} robot`, rows, entries, t);
  }

  /** When trust crossed a tenth. */
  private trustSteps(r: number): Entry[] {
    const { mission } = this;
    const tenth = (t: number) => Math.floor(10 * mission.value("twin.robot.trust", t, r) + 1e-9);
    const least = mission.header.config.twin.least_trust;
    const found: Entry[] = [];
    let told = tenth(0);
    for (let t = 1; t <= mission.steps; t++) {
      const now = mission.value("twin.robot.trust", t, r);
      if (Math.abs(now * 10 - told - 0.5) < 1) continue;
      found.push({ step: t, words: `trust in it ${tenth(t) < told ? "falls" : "rises"} to ${now.toFixed(2)}${now < least ? ": not believed" : ""}`, mark: now < least ? "forged" : "delayed" });
      told = tenth(t);
    }
    return found;
  }

  private patient(p: number, t: number): HTMLElement {
    const { mission } = this;
    const status = mission.int("patient.status", t, p);
    const known = mission.int("twin.patient.known", t, p) === 1;
    const step = mission.int("twin.patient.step", t, p);
    const source = mission.int("twin.patient.source", t, p);
    const carrier = Array.from({ length: mission.robots }, (_, r) => r).find((r) => mission.int("robot.patient", t, r) === p);
    const minutes = (name: string) => `${mission.value(name, t, p).toFixed(1)} robot-min`;
    const percent = (name: string) => `${Math.round(100 * mission.value(name, t, p))} %`;
    const rows: Row[] = [
      ["state", mission.name("patient_status", status), mission.name("patient_status", mission.int("twin.patient.status", t, p))],
      ["place", this.place(mission.int("patient.zone", t, p)), this.place(mission.int("twin.patient.zone", t, p))],
      ["RPM", mission.value("patient.rpm", t, p).toFixed(1), known ? mission.value("twin.patient.rpm", t, p).toFixed(1) : "nobody saw"],
      ["to free", minutes("patient.work"), minutes("twin.patient.work")],
      ["kit", mission.int("patient.kitted", t, p) ? "given" : "none", mission.int("twin.patient.kitted", t, p) ? "given" : "none"],
      ["survival", `${percent("patient.survival")} as things stand, ${percent("patient.survival_none")} had nobody helped`],
      ["carried by", carrier === undefined ? "nobody" : this.link({ kind: "robot", index: carrier }, `robot ${carrier}`)],
      ["news", step < 0 ? "bed census only" : `${mission.ago(t - step)} old, from ${mission.sourceName(source)}, trust ${mission.value("twin.patient.trust", t, p).toFixed(2)}`],
    ];
    const entries = [
      ...this.changes("patient.status", p, (now, before) => (now === HANDED_OVER ? "handed over to staff" : before === TRAPPED ? "freed" : `now ${mission.name("patient_status", now)}`), "delivered"),
      ...this.changes("patient.kitted", p, (now) => (now ? "gets a medical kit" : null), "delivered"),
      ...this.changes("patient.zone", p, (now) => (now >= 0 ? `is in ${mission.zoneName(now)}` : null)),
      ...this.changes("twin.patient.known", p, (now, _, at) => (now ? `the twin hears of the patient from ${mission.sourceName(mission.int("twin.patient.source", at, p))}` : null), "delayed"),
      ...this.changes("twin.patient.zone", p, (now) => (now >= 0 ? `the twin believes: in ${mission.zoneName(now)}` : "the twin no longer knows where"), "delayed"),
    ].sort((a, b) => a.step - b.step);
    return this.page(`Patient ${p}`, status === EMPTY ? "nobody in this slot" : `${mission.name("patient_status", status)}`, rows, entries, t);
  }

  private message(thing: Extract<Thing, { kind: "message" }>): HTMLElement {
    const { mission } = this;
    const { step: t, index: link, down } = thing;
    const way = down ? "down" : "up";
    const verdict = mission.int(`${way}.verdict`, t, link);
    const who = mission.linkName(link);
    const content = mission.name("contents", mission.int(`${way}.content`, t, link));
    const rows: Row[] = [
      ["verdict", h("span", { class: `tag v-${verdictClass(Math.max(verdict, 0))}` }, h("span", { class: "dot" }), mission.verdictName(verdict))],
      ["what that means", this.meaning(thing, verdict)],
      ["content", verdict === DELIVERED || verdict === DELAYED || verdict === FORGED ? content : "none came through"],
      ["age", `${mission.int(`${way}.age`, t, link)} steps`],
      ["key bits spent", mission.int(`${way}.key_bits`, t, link).toLocaleString("en")],
      ["link", link < mission.robots ? this.link({ kind: "robot", index: link }, who) : who],
      ["keys in store", `${mission.int("link.pool", t, link).toLocaleString("en")} bits, QBER ${(100 * mission.value("link.qber", t, link)).toFixed(1)} %`],
      ["attacks on it", mission.attacks(mission.int("link.attacks", t, link)).join(", ") || "none"],
    ];
    if (mission.int(`${way}.injected`, t, link)) rows.push(["beside it", "an attacker's message came too, did not verify, and was thrown away"]);
    if (!down && link < mission.robots) rows.push(...this.words(t, link));
    const title = down ? `View to ${who}` : link < mission.robots ? `Report of ${who}` : `Readings of ${who}`;
    return this.page(title, `step ${t} · ${mission.clock(t)}`, rows, [], t, false);
  }

  /** What the robot said, and what came. */
  private words(t: number, r: number): Row[] {
    const { mission } = this;
    const tell = (before: string) => {
      const zone = mission.int(`${before}.zone`, t, r);
      if (zone < 0) return "nothing";
      const damage = mission.value(`${before}.damage`, t, r);
      const reading = Number.isNaN(damage) ? "on its way, no reading" : `damage ${damage.toFixed(2)}, smoke ${mission.value(`${before}.smoke`, t, r).toFixed(2)}`;
      return `in ${mission.zoneName(zone)}: ${reading}`;
    };
    const zone = mission.int("sent.zone", t, r);
    const rows: Row[] = [["said", tell("sent")], ["arrived", tell("inbox")]];
    if (zone >= 0) rows.push(["true there", `damage ${mission.int("zone.damage", t, zone)}, smoke ${mission.value("zone.smoke", t, zone).toFixed(2)}`]);
    const seen = mission.int("sent.sightings", t, r);
    if (seen > 0) rows.push(["patients in it", String(seen)]);
    return rows;
  }

  private meaning(thing: Extract<Thing, { kind: "message" }>, verdict: number): string {
    const receiver = thing.down ? "the robot" : "the twin";
    const age = this.mission.int(`${thing.down ? "down" : "up"}.age`, thing.step, thing.index);
    if (verdict === DELIVERED) return `It came at once and verified; ${receiver} took it.`;
    if (verdict === LOST) return `Nothing came; ${receiver} goes on with what it had.`;
    if (verdict === DELAYED) return `It came ${age} steps late and verified; ${receiver} knows how old it is.`;
    if (verdict === REJECTED) return `It was changed on the way and did not verify; ${receiver} threw it away.`;
    if (verdict === NO_KEY) return "It was never sent: the link had no key left.";
    const old = this.mission.int(`${thing.down ? "down" : "up"}.content`, thing.step, thing.index) === 2;
    if (verdict === FORGED && old) return `A true message of ${age} steps ago, played back; ${receiver} took it for a new one.`;
    return verdict === FORGED ? `An attacker's words; ${receiver} took them for the sender's.` : "Nothing was sent.";
  }
}
