// The mission as the page asks for it: values by step, messages, events, words.
import { ColumnInfo, Header, Numbers, Recording } from "./recording";

export const EMPTY = 0, TRAPPED = 1, FREE = 2, CARRIED = 3, HANDED_OVER = 4;
export const OPEN = 0, SLOW = 1, BLOCKED = 2;
export const DELIVERED = 0, LOST = 1, DELAYED = 2, REJECTED = 3, NO_KEY = 4, FORGED = 5, INJECTED = 6;
export const COLLAPSE = 5;

/** What can be selected. A message is named by step, link and way. */
export type Thing =
  | { kind: "zone" | "robot" | "patient"; index: number }
  | { kind: "message"; index: number; step: number; down: boolean };

export interface Message {
  step: number;
  link: number;
  down: boolean;
  verdict: number; // INJECTED for one that came beside the genuine one and did not verify
}

/** An event of the mission's line of time. */
export interface Happening { step: number; what: "handover" | "aftershock" | "lost" | "forged"; words: string }

/** One side of the pictures: the truth or the twin. */
export type Side = "truth" | "twin";

export class Mission {
  readonly header: Header;
  readonly steps: number;
  readonly robots: number;
  readonly links: number;
  readonly patients: number;
  readonly zones: number;
  readonly dtS: number;
  readonly messages: Message[];
  readonly happenings: Happening[];
  readonly forgedTill: Int32Array; // forgeries accepted up to a step

  constructor(readonly recording: Recording) {
    this.header = recording.header;
    this.steps = recording.steps;
    this.robots = this.header.team.length;
    this.links = this.column("up.verdict").info.n;
    this.patients = this.column("patient.status").info.n;
    this.zones = this.header.building.zones.id.length;
    this.dtS = this.header.mission.dt_s;
    this.messages = this.allMessages();
    this.happenings = this.allHappenings();
    this.forgedTill = new Int32Array(this.steps + 1);
    for (const message of this.messages) this.forgedTill[message.step] += Number(message.verdict === FORGED);
    for (let t = 1; t <= this.steps; t++) this.forgedTill[t] += this.forgedTill[t - 1];
  }

  column(name: string): { info: ColumnInfo; data: Numbers } {
    const found = this.recording.columns.get(name);
    if (!found) throw new Error(`the recording has no column ${name}`);
    return found;
  }

  /** A whole number as it was recorded. */
  int(name: string, t: number, k = 0): number {
    const { info, data } = this.column(name);
    return data[t * info.n + k];
  }

  /** A value, NaN where there is none. */
  value(name: string, t: number, k = 0): number {
    const { info, data } = this.column(name);
    const number = data[t * info.n + k];
    return number === info.none ? NaN : number / info.scale;
  }

  exact(name: string, t: number): number {
    return this.recording.exact.get(name)![t];
  }

  count(name: string, t: number): number {
    return this.int("clock.counts", t, this.header.names.counts.indexOf(name));
  }

  /** (E - E_none) / (E_instant - E_none), as the metric "score". */
  score(t: number): number {
    const scale = this.exact("survivors_instant", t) - this.exact("survivors_none", t);
    return scale > 1e-9 ? this.exact("lives_saved", t) / scale : 0;
  }

  handedOver(t: number): number {
    const { data } = this.column("patient.status");
    let n = 0;
    for (let k = t * this.patients; k < (t + 1) * this.patients; k++) n += data[k] === HANDED_OVER ? 1 : 0;
    return n;
  }

  /** Trust in whoever brought the youngest news of a zone, NaN without news. */
  zoneTrust(t: number, zone: number): number {
    const source = this.int("twin.zone.source", t, zone);
    if (source === -2) return NaN;
    if (source === -1) return this.value("twin.zone.sensor_trust", t, zone);
    return this.value("twin.robot.trust", t, source);
  }

  // words

  /** Mission time, "mm:ss" or "h:mm:ss". */
  clock(t: number): string {
    const seconds = Math.round(t * this.dtS);
    const two = (x: number) => String(x).padStart(2, "0");
    const minutes = Math.floor(seconds / 60);
    const tail = two(seconds % 60);
    return minutes < 60 ? `${two(minutes)}:${tail}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${tail}`;
  }

  /** How long ago, in words. */
  ago(steps: number): string {
    const seconds = steps * this.dtS;
    return seconds < 600 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  }

  name(table: string, index: number): string {
    return this.header.names[table][index] ?? "unknown";
  }

  zoneName(zone: number): string {
    return zone < 0 ? "unknown" : this.header.building.zones.id[zone];
  }

  linkName(link: number): string {
    return link < this.robots ? `robot ${link}` : `gateway ${link - this.robots}`;
  }

  task(action: number): string {
    return action > 0 ? this.name("actions", action) : "idle";
  }

  damageName(damage: number): string {
    return Number.isNaN(damage) ? "no news" : this.name("damage", Math.round(damage)).toLowerCase();
  }

  sourceName(source: number): string {
    return source === -2 ? "nobody" : source === -1 ? "fixed sensor" : `robot ${source}`;
  }

  /** Names of the kinds in a bit mask of attacks. */
  attacks(mask: number): string[] {
    return this.header.names.attacks.filter((_, bit) => mask & (1 << bit));
  }

  verdictName(verdict: number): string {
    if (verdict === INJECTED) return "injected, rejected";
    return verdict === FORGED ? "forged, accepted" : this.name("verdicts", verdict);
  }

  // what happened

  private allMessages(): Message[] {
    const found: Message[] = [];
    const ways = [false, true].map((down) => {
      const way = down ? "down" : "up";
      return { down, verdicts: this.column(`${way}.verdict`).data, injected: this.column(`${way}.injected`).data };
    });
    for (let step = 1; step <= this.steps; step++) {
      for (const { down, verdicts, injected } of ways) {
        for (let link = 0, at = step * this.links; link < this.links; link++, at++) {
          const verdict = verdicts[at];
          if (verdict < 0) continue;
          found.push({ step, link, down, verdict });
          if (injected[at]) found.push({ step, link, down, verdict: INJECTED });
        }
      }
    }
    return found;
  }

  private allHappenings(): Happening[] {
    const found: Happening[] = [];
    const status = this.column("patient.status").data;
    for (let t = 1; t <= this.steps; t++) {
      if (this.count("aftershocks", t) > this.count("aftershocks", t - 1)) {
        found.push({ step: t, what: "aftershock", words: "aftershock" });
      }
      for (let r = 0; r < this.robots; r++) {
        if (this.int("robot.alive", t, r) < this.int("robot.alive", t - 1, r)) {
          found.push({ step: t, what: "lost", words: `robot ${r} lost` });
        }
      }
      for (let p = 0; p < this.patients; p++) {
        const at = t * this.patients + p;
        if (status[at] === HANDED_OVER && status[at - this.patients] !== HANDED_OVER) {
          found.push({ step: t, what: "handover", words: `patient ${p} handed over` });
        }
      }
    }
    let last = 0;
    for (const message of this.messages) {
      if (message.verdict === FORGED && message.step > last) {
        found.push({ step: message.step, what: "forged", words: "a forged message was accepted" });
        last = message.step;
      }
    }
    return found.sort((a, b) => a.step - b.step);
  }

  /** Index of the first message of a step or later. */
  firstMessage(step: number, among: Message[] = this.messages): number {
    let low = 0;
    let high = among.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (among[middle].step < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
