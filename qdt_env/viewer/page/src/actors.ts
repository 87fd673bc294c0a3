// Patients, robots and gateways on one side's plan: a picture of its own above the building, so that what moves does not
// make the building be drawn anew.
import { Palette } from "./colours";
import { s } from "./dom";
import { CARRIED, DELIVERED, Mission, Side, TRAPPED, Thing } from "./mission";
import { Places, Point, Standing, along } from "./places";
import { Projection, sized } from "./projection";
import { BOLT, MARKS, SHAPES } from "./signs";
import { Sparing } from "./sparing";

export class ActorView {
  readonly world = s("g");
  readonly svg: SVGSVGElement = s("svg", { class: "actors" }, this.world);
  magnified = 1; // by zoom; the signs grow less than the plan, so that crowds come apart
  private robots: { group: SVGGElement; halo: SVGElement; body: SVGElement; charge: SVGElement; bolts: SVGElement[] }[] = [];
  private patients: { group: SVGGElement; body: SVGElement; mark: SVGElement }[] = [];
  private gateways: { halo: SVGElement; bolt: SVGElement }[] = [];
  private places: Places | null = null;
  private next: Places | null = null;
  private readonly sparing = new Sparing();
  private projection!: Projection;

  constructor(
    private readonly mission: Mission,
    private readonly standing: Standing,
    private readonly side: Side,
    private readonly pick: (thing: Thing) => void,
  ) {}

  /** Draw everything anew. */
  build(projection: Projection): void {
    this.projection = projection;
    sized(this.svg, projection.arrangement);
    this.sparing.forget();
    const [gateways, patients, robots] = ["gateways", "patients", "robots"].map((name) => s("g", { class: name }));
    this.world.replaceChildren(gateways, patients, robots);
    this.drawGateways(gateways);
    this.drawPatients(patients);
    this.drawRobots(robots);
  }

  private drawGateways(layer: SVGGElement): void {
    const { building } = this.mission.header;
    const size = 0.85 * this.projection.arrangement.size;
    this.gateways = building.gateways.map((z) => {
      const [, , x1, y1] = building.zones.bbox_m[z];
      const [x, y] = this.projection.px([x1, y1], z);
      const halo = s("circle", { r: 8, class: "halo", visibility: "hidden" });
      const bolt = s("path", { d: BOLT, class: "bolt", visibility: "hidden", transform: "translate(7,-6) scale(0.8)" });
      const group = s("g", { transform: `translate(${x - 7 * size},${y + 7 * size}) scale(${size})`, class: "gateway" },
        halo, s("path", { d: MARKS.gateway, class: "mark gateway" }), bolt);
      layer.append(group);
      return { halo, bolt };
    });
  }

  private drawPatients(layer: SVGGElement): void {
    this.patients = Array.from({ length: this.mission.patients }, (_, p) => {
      const body = s("path", { class: "body" });
      const mark = s("text", { class: "unseen", y: 3.4 }, "?");
      const group = s("g", { class: "patient", role: "button", tabindex: -1, "aria-label": `patient ${p}`, "data-patient": p }, body, mark);
      group.addEventListener("click", () => this.pick({ kind: "patient", index: p }));
      layer.append(group);
      return { group, body, mark };
    });
  }

  private drawRobots(layer: SVGGElement): void {
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
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault(); // the space bar would scroll the page
        this.pick({ kind: "robot", index: r });
      });
      layer.append(group);
      return { group, halo, body, charge, bolts };
    });
  }

  /** Show the state after `t` steps. */
  show(t: number, colours: Palette, selected: Thing | null): void {
    this.places = this.standing.at(t, this.side);
    this.next = this.side === "truth" && t < this.mission.steps ? this.standing.at(t + 1, this.side) : null;
    this.showPatients(t, colours, selected);
    this.showRobots(t, colours, selected);
    if (this.side === "twin") this.showGateways(t, colours);
    this.move(0);
  }

  /** Pixel of who is selected, or of the first robot: what a magnifier is held over. */
  spot(selected: Thing | null): Point {
    const { robots, robotZones, patients, patientZones } = this.places!;
    const k = selected?.index ?? 0;
    if (selected?.kind === "zone") return this.projection.px(this.mission.header.building.zones.position_m[k], k);
    const patient = selected?.kind === "patient" ? patients[k] : null;
    if (patient) return this.projection.px(patient, patientZones[k]);
    const r = selected?.kind === "robot" ? k : 0;
    return this.projection.px(robots[r]!, robotZones[r]);
  }

  private showPatients(t: number, colours: Palette, selected: Thing | null): void {
    const { mission } = this;
    const before = this.side === "twin" ? "twin." : "";
    this.patients.forEach(({ group, body, mark }, p) => {
      const there = this.places!.patients[p] !== null;
      this.sparing.put(group, "display", there ? "inline" : "none"); // visibility would not hide the mark within
      if (!there) return;
      const status = mission.int(`${before}patient.status`, t, p);
      const known = this.side === "truth" || mission.int("twin.patient.known", t, p) === 1;
      this.sparing.put(body, "d", status === TRAPPED && known ? "M0,-6.4 L6.4,0 L0,6.4 L-6.4,0 Z" : "M-5.2,0 a5.2,5.2 0 1 0 10.4,0 a5.2,5.2 0 1 0 -10.4,0");
      this.sparing.put(body, "fill", known ? colours.triage(mission.value(`${before}patient.rpm`, t, p)) : colours.variable("unseen"));
      this.sparing.see(mark, !known);
      if (this.side === "twin") {
        const age = t - Math.max(mission.int("twin.patient.step", t, p), 0);
        this.sparing.put(body, "fill-opacity", known ? opacity(age) : "0.85");
        const trust = mission.value("twin.patient.trust", t, p);
        this.sparing.put(body, "stroke", Number.isNaN(trust) || !known ? colours.variable("ink") : colours.trust(trust));
      }
      const chosen = selected?.kind === "patient" && selected.index === p;
      this.sparing.put(group, "class", `patient${chosen ? " selected" : ""}${status === CARRIED ? " carried" : ""}`);
    });
  }

  private showRobots(t: number, colours: Palette, selected: Thing | null): void {
    const { mission } = this;
    const before = this.side === "twin" ? "twin." : "";
    this.robots.forEach(({ group, halo, body, charge, bolts }, r) => {
      const alive = mission.int("robot.alive", t, r) === 1;
      const chosen = selected?.kind === "robot" && selected.index === r;
      if (chosen) raise(group);
      this.sparing.put(group, "class", `robot${alive ? "" : " gone"}${chosen ? " selected" : ""}`);
      const energy = mission.value(`${before}robot.energy`, t, r);
      this.sparing.put(charge, "width", (16 * Math.max(0, energy)).toFixed(1));
      this.sparing.put(charge, "fill", colours.variable(energy < 0.2 ? "red" : energy < 0.5 ? "orange" : "green"));
      if (this.side === "truth") return;
      this.sparing.put(body, "fill-opacity", opacity(t - mission.int("twin.robot.step", t, r)));
      this.sparing.put(body, "stroke", colours.trust(mission.value("twin.robot.trust", t, r)));
      this.sparing.see(halo, alive && mission.int("link.attacks", t, r) !== 0);
      ["up.verdict", "down.verdict"].forEach((way, k) => {
        const verdict = mission.int(way, t, r);
        this.sparing.see(bolts[k], verdict > DELIVERED);
        if (verdict > DELIVERED) this.sparing.put(bolts[k], "fill", colours.verdict[verdict]);
      });
    });
  }

  private showGateways(t: number, colours: Palette): void {
    const { mission } = this;
    this.gateways.forEach(({ halo, bolt }, g) => {
      const link = mission.robots + g;
      const verdict = mission.int("up.verdict", t, link);
      this.sparing.see(halo, mission.int("link.attacks", t, link) !== 0);
      this.sparing.see(bolt, verdict > DELIVERED);
      if (verdict > DELIVERED) this.sparing.put(bolt, "fill", colours.verdict[verdict]);
    });
  }

  /** Move robots (and whom they carry) a share of the way from the step shown to the next. */
  move(share: number): void {
    const places = this.places!;
    const size = (this.projection.arrangement.size / this.magnified ** 0.6).toFixed(3);
    const { storey } = this.mission.header.building.zones;
    const at = (k: number, group: "robots" | "patients", zones: "robotZones" | "patientZones"): Point | null => {
      const here = places[group][k];
      const there = this.next?.[group][k];
      if (!here || !there || share === 0) return here && this.projection.px(here, places[zones][k]);
      const [from, to] = [places[zones][k], this.next![zones][k]];
      if (storey[from] !== storey[to]) return share < 0.5 ? this.projection.px(here, from) : this.projection.px(there, to);
      return this.projection.px(along([here, ...this.standing.doors(from, to), there], share), from);
    };
    this.robots.forEach(({ group }, r) => {
      const point = at(r, "robots", "robotZones");
      if (point) this.sparing.put(group, "transform", `translate(${point[0].toFixed(1)},${point[1].toFixed(1)}) scale(${size})`);
    });
    this.patients.forEach(({ group }, p) => {
      const point = at(p, "patients", "patientZones");
      if (point) this.sparing.put(group, "transform", `translate(${point[0].toFixed(1)},${point[1].toFixed(1)}) scale(${size})`);
    });
  }
}

/** Bring a sign to the front; whoever has the keyboard keeps it. */
function raise(group: SVGGElement): void {
  if (!group.nextSibling) return;
  const focused = document.activeElement === group;
  group.parentNode!.append(group);
  if (focused) group.focus();
}

/** Opacity of news by its age: 1 when fresh, 0.4 in the end. */
function opacity(age: number): string {
  return (0.4 + Math.round(12 * Math.exp(-Math.max(age - 1, 0) / 60)) / 20).toFixed(2); // in steps: fewer changes
}
