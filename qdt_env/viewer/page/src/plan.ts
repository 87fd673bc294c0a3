// The floor plans of one side, truth or twin: all storeys in one picture, drawn once and changed from step to step.
import { Selection, select } from "d3-selection";
import { Palette } from "./colours";
import { s } from "./dom";
import { BLOCKED, CARRIED, DELIVERED, Mission, SLOW, Side, TRAPPED, Thing } from "./mission";
import { Places, Point, Standing, along } from "./places";

export type ColourBy = "damage" | "age" | "trust";
export interface Arrangement { columns: number; scale: number; width: number; height: number; size: number }
export interface Options { colourBy: ColourBy; smoke: boolean; differences: boolean }

export const TITLE_PX = 20; // above every storey, where there are several
const MARGIN_M = 1.2;
export const SHAPES = [
  "M0,-9.5 L9,-2.9 L5.6,7.7 L-5.6,7.7 L-9,-2.9 Z", // legged
  "M-8,-8 H8 V8 H-8 Z", // tracked
  "M0,-10 L10,8 L-10,8 Z", // aerial
];
export const BOLT = "M1,-8 L-5,1 L-0.5,1 L-2,8 L5,-2 L0.6,-2 Z";
export const FLAME = "M0,-7 C1,-3 5,-1 4,3 C3.4,6 1,7 0,7 C-1,7 -3.4,6 -4,3 C-4.6,0 -2,0 -2,-3 C-1,-2 0,-4 0,-7 Z";

/** Extent of the building's plan in metres. */
export function extent(mission: Mission): [number, number, number, number] {
  const boxes = mission.header.building.zones.bbox_m;
  const side = (k: number, pick: (...x: number[]) => number) => boxes.reduce((x, box) => pick(x, box[k]), boxes[0][k]);
  return [side(0, Math.min) - MARGIN_M, side(1, Math.min) - MARGIN_M, side(2, Math.max) + MARGIN_M, side(3, Math.max) + MARGIN_M];
}

export class PlanView {
  readonly svg: SVGSVGElement;
  readonly world: SVGGElement;
  private readonly zoneRects: SVGElement[] = [];
  private readonly smokeRects: SVGElement[] = [];
  private readonly fires: SVGElement[] = [];
  private readonly doors: SVGElement[] = [];
  private readonly crosses: (SVGElement | null)[] = [];
  private readonly marks: SVGElement[] = [];
  private robots: { group: SVGGElement; halo: SVGElement; body: SVGElement; charge: SVGElement; bolts: SVGElement[] }[] = [];
  private patients: { group: SVGGElement; body: SVGElement; mark: SVGElement }[] = [];
  private gatewayBolts: { group: SVGGElement; halo: SVGElement; bolt: SVGElement }[] = [];
  private places: Places | null = null;
  private next: Places | null = null;
  private shown = new Map<SVGElement, Map<string, string>>();
  private arrangement!: Arrangement;
  magnified = 1; // by zoom; the symbols grow less than the plan, so that crowds come apart
  private readonly extent: [number, number, number, number];
  private readonly lowest: number;
  private readonly titlePx: number;

  constructor(
    private readonly mission: Mission,
    private readonly standing: Standing,
    readonly side: Side,
    private readonly pick: (thing: Thing) => void,
  ) {
    this.extent = extent(mission);
    const { storey } = mission.header.building.zones;
    this.lowest = Math.min(...storey);
    this.titlePx = Math.max(...storey) > this.lowest ? TITLE_PX : 0;
    const words = side === "truth" ? "Floor plans: what is true" : "Floor plans: what the twin believes";
    this.world = s("g", { class: "world" });
    this.svg = s("svg", { class: `plan ${side}`, role: "group", "aria-label": words }, this.patterns(), this.world);
  }

  private patterns(): SVGElement {
    const hatch = s("pattern", { id: `smoke-${this.side}`, width: 7, height: 7, patternUnits: "userSpaceOnUse" });
    hatch.append(s("rect", { width: 7, height: 7, class: "smoke-ground" }));
    hatch.append(s("path", { d: "M-1,8 L8,-1 M-1,1 L1,-1 M6,8 L8,6", class: "smoke-line" }));
    return s("defs", {}, hatch);
  }

  /** Pixel of a point of a storey's plan. */
  px(point: Point, zone: number): Point {
    const { columns, scale } = this.arrangement;
    const [x0, y0, x1, y1] = this.extent;
    const at = this.mission.header.building.zones.storey[zone] - this.lowest;
    const cell = [(x1 - x0) * scale, (y1 - y0) * scale + this.titlePx];
    const corner = [(at % columns) * cell[0], Math.floor(at / columns) * cell[1] + this.titlePx];
    return [corner[0] + (point[0] - x0) * scale, corner[1] + (y1 - point[1]) * scale];
  }

  /** Draw everything anew for an arrangement. */
  build(arrangement: Arrangement): void {
    this.arrangement = arrangement;
    this.shown.clear();
    this.svg.setAttribute("viewBox", `0 0 ${arrangement.width} ${arrangement.height}`);
    this.svg.setAttribute("width", String(arrangement.width));
    this.svg.setAttribute("height", String(arrangement.height));
    this.world.replaceChildren();
    for (const list of [this.zoneRects, this.smokeRects, this.fires, this.doors, this.crosses, this.marks]) list.length = 0;
    const layers = ["zones", "smokes", "doors", "marks", "fires", "patients", "robots", "storeys"].map((name) => {
      const layer = s("g", { class: name });
      this.world.append(layer);
      return select(layer as SVGGElement);
    });
    this.drawZones(layers[0], layers[1], layers[4]);
    this.drawDoors(layers[2]);
    this.drawMarks(layers[3]);
    this.drawPatients(layers[5]);
    this.drawRobots(layers[6]);
    this.drawStoreys(layers[7]);
  }

  private drawStoreys(layer: Selection<SVGGElement, unknown, null, undefined>): void {
    const { storey } = this.mission.header.building.zones;
    const [x0, y0, , y1] = this.extent;
    const levels = [...new Set(storey)].sort((a, b) => a - b);
    if (levels.length > 1) {
      layer.selectAll("text").data(levels).join("text").attr("class", "storey")
        .attr("x", (level) => this.px([x0, y1], storey.indexOf(level))[0] + 4)
        .attr("y", (level) => this.px([x0, y1], storey.indexOf(level))[1] - 5)
        .text((level) => (level === 0 ? "ground floor" : `storey ${level}`));
    }
    const [bx, by] = this.px([x0, y0], storey.indexOf(levels[0]));
    layer.append("path").attr("class", "scale-bar").attr("d", `M${bx + 6},${by - 5} h${10 * this.arrangement.scale}`);
    layer.append("text").attr("class", "scale-words").text("10 m")
      .attr("x", bx + 10 + 10 * this.arrangement.scale).attr("y", by - 2);
  }

  private drawZones(...layers: Selection<SVGGElement, unknown, null, undefined>[]): void {
    const { zones } = this.mission.header.building;
    const order = zones.id.map((_, z) => z).sort((a, b) => Number(zones.indoor[a]) - Number(zones.indoor[b]) || zones.area_m2[b] - zones.area_m2[a]);
    const fires: SVGElement[] = [];
    for (const z of order) {
      const [x0, y0, x1, y1] = zones.bbox_m[z];
      const [left, top] = this.px([x0, y1], z);
      const { scale } = this.arrangement;
      const box = { x: left, y: top, width: (x1 - x0) * scale, height: (y1 - y0) * scale };
      let shape: SVGElement;
      if (zones.kind[z] === "entry") {
        const [cx, cy] = this.px(zones.position_m[z], z);
        shape = s("circle", { cx, cy, r: 0.8 * Math.sqrt(zones.area_m2[z] / Math.PI) * scale });
      } else {
        shape = s("rect", box);
      }
      shape.setAttribute("class", zones.indoor[z] ? "zone" : "zone outdoors");
      shape.setAttribute("data-zone", String(z));
      shape.addEventListener("click", () => this.pick({ kind: "zone", index: z }));
      this.zoneRects[z] = shape;
      layers[0].append(() => shape);
      this.smokeRects[z] = s("rect", { ...box, class: "smoke", fill: `url(#smoke-${this.side})`, opacity: 0 });
      layers[1].append(() => this.smokeRects[z]);
      const [fx, fy] = this.px(zones.position_m[z], z);
      fires[z] = s("path", { d: FLAME, class: "fire", transform: `translate(${fx},${fy}) scale(${1.2 * this.arrangement.size})`, visibility: "hidden" });
      layers[2].append(() => fires[z]);
    }
    this.fires.push(...fires);
  }

  private drawDoors(layer: Selection<SVGGElement, unknown, null, undefined>): void {
    const { passages, zones } = this.mission.header.building;
    const { scale } = this.arrangement;
    const grown = Math.max(1, 6 / scale);
    const arm = Math.min(4, Math.max(1.8, 0.36 * scale));
    this.svg.style.setProperty("--door", `${Math.min(2.6, Math.max(1.1, 0.22 * scale))}px`);
    passages.zones.forEach(([a, b], e) => {
      const level = zones.storey[a] === zones.storey[b];
      const inside = level && passages.kind[e] !== "outdoor";
      const [from, to] = passages.line_m[e].map((end) => {
        const door = passages.door_m[e];
        return this.px([door[0] + (end[0] - door[0]) * grown, door[1] + (end[1] - door[1]) * grown], a);
      });
      const line = s("path", { d: `M${from} L${to}`, class: inside ? "door" : "door none" });
      const at = level ? this.px(passages.door_m[e], a) : this.px(zones.position_m[a], a);
      const cross = s("path", {
        d: `M${at[0] - arm},${at[1] - arm} l${2 * arm},${2 * arm} M${at[0] + arm},${at[1] - arm} l${-2 * arm},${2 * arm}`,
        class: "cross", visibility: "hidden",
      });
      layer.append(() => line);
      layer.append(() => cross);
      this.doors.push(line);
      this.crosses.push(cross);
    });
  }

  private drawMarks(layer: Selection<SVGGElement, unknown, null, undefined>): void {
    const { building } = this.mission.header;
    const kinds: [string, number[]][] = [
      ["entrance", building.entrances],
      ["depot", building.depots],
      ["stair", building.zones.kind.flatMap((kind, z) => (kind === "stair" ? [z] : []))],
      ["elevator", building.zones.kind.flatMap((kind, z) => (kind === "elevator" ? [z] : []))],
    ];
    const size = 0.85 * this.arrangement.size;
    for (const [kind, zones] of kinds) {
      for (const z of zones) {
        const [x0, y0, , y1] = building.zones.bbox_m[z];
        const [x, y] = this.px([x0, kind === "depot" ? y0 : y1], z);
        const inset = 7 * size;
        layer.append(() => s("path", {
          d: MARKS[kind], class: `mark ${kind}`, "data-kind": kind,
          transform: `translate(${x + inset},${y + (kind === "depot" ? -inset : inset)}) scale(${size})`,
        }));
      }
    }
    this.gatewayBolts = building.gateways.map((z) => {
      const [, , x1, y1] = building.zones.bbox_m[z];
      const [x, y] = this.px([x1, y1], z);
      const halo = s("circle", { r: 8, class: "halo", visibility: "hidden" });
      const bolt = s("path", { d: BOLT, class: "bolt", visibility: "hidden", transform: "translate(7,-6) scale(0.8)" });
      const group = s("g", { transform: `translate(${x - 7 * size},${y + 7 * size}) scale(${size})`, class: "gateway" },
        halo, s("path", { d: MARKS.gateway, class: "mark gateway" }), bolt);
      layer.append(() => group);
      return { group, halo, bolt };
    });
  }

  private drawPatients(layer: Selection<SVGGElement, unknown, null, undefined>): void {
    this.patients = Array.from({ length: this.mission.patients }, (_, p) => {
      const body = s("path", { class: "body" });
      const mark = s("text", { class: "unseen", y: 3.4 }, "?");
      const group = s("g", { class: "patient", role: "button", tabindex: -1, "aria-label": `patient ${p}`, "data-patient": p }, body, mark);
      group.addEventListener("click", () => this.pick({ kind: "patient", index: p }));
      layer.append(() => group);
      return { group, body, mark };
    });
  }

  private drawRobots(layer: Selection<SVGGElement, unknown, null, undefined>): void {
    this.robots = this.mission.header.team.map((kind, r) => {
      const shape = SHAPES[this.mission.header.names.robot_kinds.indexOf(kind)];
      const halo = s("circle", { r: 14, class: "halo", visibility: "hidden" });
      const body = s("path", { d: shape, class: "body" });
      const charge = s("rect", { x: -8, y: 10.5, height: 3, rx: 1, class: "charge" });
      const bolts = [-1, 1].map((way) => s("path", { d: BOLT, class: "bolt", visibility: "hidden", transform: `translate(${way * 11},-9)` }));
      const group = s("g", { class: "robot", role: "button", tabindex: 0, "aria-label": `robot ${r}, ${kind}`, "data-robot": r },
        halo, body, s("text", { y: kind === "aerial" ? 6.2 : 3.6 }, r),
        s("rect", { x: -8, y: 10.5, width: 16, height: 3, rx: 1, class: "charge-ground" }), charge, ...bolts);
      group.addEventListener("click", () => this.pick({ kind: "robot", index: r }));
      group.addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.pick({ kind: "robot", index: r });
      });
      layer.append(() => group);
      return { group, halo, body, charge, bolts };
    });
  }

  /** Change an attribute only where it is another one. */
  private put(element: SVGElement, name: string, value: string): void {
    let known = this.shown.get(element);
    if (!known) this.shown.set(element, (known = new Map()));
    if (known.get(name) === value) return;
    known.set(name, value);
    element.setAttribute(name, value);
  }

  private see(element: SVGElement, visible: boolean): void {
    this.put(element, "visibility", visible ? "visible" : "hidden");
  }

  /** Show the state after `t` steps. */
  show(t: number, colours: Palette, options: Options, selected: Thing | null): void {
    this.places = this.standing.at(t, this.side);
    this.next = this.side === "truth" && t < this.mission.steps ? this.standing.at(t + 1, this.side) : null;
    this.showZones(t, colours, options, selected);
    this.showPassages(t);
    this.showPatients(t, colours, selected);
    this.showRobots(t, colours, selected);
    if (this.side === "twin") this.showGateways(t, colours);
    this.move(0);
  }

  private zoneColour(t: number, z: number, colours: Palette, by: ColourBy): string {
    const { mission } = this;
    if (this.side === "truth") return colours.damage(mission.value("zone.damage", t, z));
    if (by === "age") {
      const written = mission.int("twin.zone.step", t, z);
      return colours.age(written < 0 ? NaN : t - written);
    }
    return by === "trust" ? colours.trust(mission.zoneTrust(t, z)) : colours.damage(mission.value("twin.zone.damage", t, z));
  }

  private showZones(t: number, colours: Palette, options: Options, selected: Thing | null): void {
    const { mission } = this;
    const { indoor } = mission.header.building.zones;
    const before = this.side === "twin" ? "twin." : "";
    for (let z = 0; z < mission.zones; z++) {
      if (indoor[z]) {
        this.put(this.zoneRects[z], "fill", this.zoneColour(t, z, colours, options.colourBy));
        const smoke = options.smoke ? mission.value(`${before}zone.smoke`, t, z) || 0 : 0;
        this.put(this.smokeRects[z], "opacity", smoke > 0.05 ? (0.25 + 0.75 * Math.min(1, smoke / 0.6)).toFixed(2) : "0");
        if (this.side === "truth") this.see(this.fires[z], mission.int("zone.burning", t, z) === 1);
      }
      const off = options.differences && this.side === "twin" && indoor[z] && this.differs(t, z);
      const chosen = selected?.kind === "zone" && selected.index === z;
      this.put(this.zoneRects[z], "class", `zone${indoor[z] ? "" : " outdoors"}${off ? " differs" : ""}${chosen ? " selected" : ""}`);
    }
  }

  private differs(t: number, z: number): boolean {
    const believed = this.mission.value("twin.zone.damage", t, z);
    return !(Math.abs(believed - this.mission.value("zone.damage", t, z)) < 1);
  }

  private showPassages(t: number): void {
    const before = this.side === "twin" ? "twin." : "";
    this.doors.forEach((door, e) => {
      const condition = this.mission.int(`${before}passage.condition`, t, e);
      const none = door.classList.contains("none") ? " none" : "";
      this.put(door, "class", `door${none}${condition === SLOW ? " slow" : condition === BLOCKED ? " blocked" : ""}`);
      this.see(this.crosses[e]!, condition === BLOCKED);
    });
  }

  private showPatients(t: number, colours: Palette, selected: Thing | null): void {
    const { mission } = this;
    const before = this.side === "twin" ? "twin." : "";
    this.patients.forEach(({ group, body, mark }, p) => {
      const there = this.places!.patients[p] !== null;
      this.see(group, there);
      if (!there) return;
      const status = mission.int(`${before}patient.status`, t, p);
      const known = this.side === "truth" || mission.int("twin.patient.known", t, p) === 1;
      this.put(body, "d", status === TRAPPED && known ? "M0,-6.4 L6.4,0 L0,6.4 L-6.4,0 Z" : "M-5.2,0 a5.2,5.2 0 1 0 10.4,0 a5.2,5.2 0 1 0 -10.4,0");
      this.put(body, "fill", known ? colours.triage(mission.value(`${before}patient.rpm`, t, p)) : colours.variable("unseen"));
      this.see(mark, !known);
      if (this.side === "twin") {
        const age = t - Math.max(mission.int("twin.patient.step", t, p), 0);
        this.put(group, "opacity", known ? opacity(age) : "0.85");
        const trust = mission.value("twin.patient.trust", t, p);
        this.put(body, "stroke", Number.isNaN(trust) || !known ? colours.variable("ink") : colours.trust(trust));
      }
      const chosen = selected?.kind === "patient" && selected.index === p;
      this.put(group, "class", `patient${chosen ? " selected" : ""}${status === CARRIED ? " carried" : ""}`);
    });
  }

  private showRobots(t: number, colours: Palette, selected: Thing | null): void {
    const { mission } = this;
    const before = this.side === "twin" ? "twin." : "";
    this.robots.forEach(({ group, halo, body, charge, bolts }, r) => {
      const alive = mission.int("robot.alive", t, r) === 1;
      const chosen = selected?.kind === "robot" && selected.index === r;
      this.put(group, "class", `robot${alive ? "" : " gone"}${chosen ? " selected" : ""}`);
      const energy = mission.value(`${before}robot.energy`, t, r);
      this.put(charge, "width", (16 * Math.max(0, energy)).toFixed(1));
      this.put(charge, "fill", colours.variable(energy < 0.2 ? "red" : energy < 0.5 ? "orange" : "green"));
      if (this.side === "truth") return;
      this.put(group, "opacity", opacity(t - mission.int("twin.robot.step", t, r)));
      this.put(body, "stroke", colours.trust(mission.value("twin.robot.trust", t, r)));
      this.see(halo, alive && mission.int("link.attacks", t, r) !== 0);
      ["up.verdict", "down.verdict"].forEach((way, k) => {
        const verdict = mission.int(way, t, r);
        this.see(bolts[k], verdict > DELIVERED);
        if (verdict > DELIVERED) this.put(bolts[k], "fill", colours.verdict[verdict]);
      });
    });
  }

  private showGateways(t: number, colours: Palette): void {
    const { mission } = this;
    this.gatewayBolts.forEach(({ halo, bolt }, g) => {
      const link = mission.robots + g;
      const verdict = mission.int("up.verdict", t, link);
      this.see(halo, mission.int("link.attacks", t, link) !== 0);
      this.see(bolt, verdict > DELIVERED);
      if (verdict > DELIVERED) this.put(bolt, "fill", colours.verdict[verdict]);
    });
  }

  /** Move robots (and whom they carry) a share of the way from the step shown to the next. */
  move(share: number): void {
    const places = this.places!;
    const size = (this.arrangement.size / this.magnified ** 0.6).toFixed(3);
    const { storey } = this.mission.header.building.zones;
    const at = (k: number, group: "robots" | "patients", zones: "robotZones" | "patientZones"): Point | null => {
      const here = places[group][k];
      const there = this.next?.[group][k];
      if (!here || !there || share === 0) return here && this.px(here, places[zones][k]);
      const [from, to] = [places[zones][k], this.next![zones][k]];
      if (storey[from] !== storey[to]) return share < 0.5 ? this.px(here, from) : this.px(there, to);
      return this.px(along([here, ...this.standing.doors(from, to), there], share), from);
    };
    this.robots.forEach(({ group }, r) => {
      const point = at(r, "robots", "robotZones");
      if (point) this.put(group, "transform", `translate(${point[0].toFixed(1)},${point[1].toFixed(1)}) scale(${size})`);
    });
    this.patients.forEach(({ group }, p) => {
      const point = at(p, "patients", "patientZones");
      if (point) this.put(group, "transform", `translate(${point[0].toFixed(1)},${point[1].toFixed(1)}) scale(${size})`);
    });
  }
}

export const MARKS: Record<string, string> = {
  entrance: "M-2,-6 H2 V-2 H6 V2 H2 V6 H-2 V2 H-6 V-2 H-2 Z",
  depot: "M-4.5,-4.5 H4.5 V4.5 H-4.5 Z",
  gateway: "M0,-5.6 L5.6,0 L0,5.6 L-5.6,0 Z",
  stair: "M0,-5 L5,4 L-5,4 Z",
  elevator: "M0,5 L5,-4 L-5,-4 Z",
};
/** Opacity of news by its age: 1 when fresh, 0.4 in the end. */
function opacity(age: number): string {
  return (0.4 + 0.6 * Math.exp(-Math.max(age - 1, 0) / 60)).toFixed(2);
}
