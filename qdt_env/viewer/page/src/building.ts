// The building on one side's plan: zones, smoke, fire, passages and marks; drawn once, recoloured from step to step.
import { Palette } from "./colours";
import { s } from "./dom";
import { BLOCKED, Mission, SLOW, Side, Thing } from "./mission";
import { Projection, sized } from "./projection";
import { FLAME, MARKS } from "./signs";
import { Sparing } from "./sparing";

export type ColourBy = "damage" | "age" | "trust";
export interface Options { colourBy: ColourBy; smoke: boolean; differences: boolean }

export class BuildingView {
  readonly world = s("g");
  readonly svg: SVGSVGElement;
  private readonly zoneRects: SVGElement[] = [];
  private readonly smokeRects: SVGElement[] = [];
  private readonly fires: SVGElement[] = [];
  private readonly doors: SVGElement[] = [];
  private readonly crosses: SVGElement[] = [];
  private readonly sparing = new Sparing();
  private projection!: Projection;

  constructor(private readonly mission: Mission, private readonly side: Side, private readonly pick: (thing: Thing) => void) {
    const words = side === "truth" ? "Floor plans: what is true" : "Floor plans: what the twin believes";
    this.svg = s("svg", { class: "ground", role: "group", "aria-label": words }, this.patterns(), this.world);
  }

  private patterns(): SVGElement {
    const hatch = s("pattern", { id: `smoke-${this.side}`, width: 7, height: 7, patternUnits: "userSpaceOnUse" });
    hatch.append(s("rect", { width: 7, height: 7, class: "smoke-ground" }));
    hatch.append(s("path", { d: "M-1,8 L8,-1 M-1,1 L1,-1 M6,8 L8,6", class: "smoke-line" }));
    return s("defs", {}, hatch);
  }

  /** Draw everything anew. */
  build(projection: Projection): void {
    this.projection = projection;
    sized(this.svg, projection.arrangement);
    this.sparing.forget();
    this.world.replaceChildren();
    for (const list of [this.zoneRects, this.smokeRects, this.fires, this.doors, this.crosses]) list.length = 0;
    const [zones, smokes, doors, marks, fires, words] = ["zones", "smokes", "doors", "marks", "fires", "words"].map((name) => {
      const layer = s("g", { class: name });
      this.world.append(layer);
      return layer;
    });
    this.drawZones(zones, smokes, fires);
    this.drawDoors(doors);
    this.drawMarks(marks);
    this.drawStoreys(words);
  }

  private drawStoreys(layer: SVGGElement): void {
    const { storey } = this.mission.header.building.zones;
    const [x0, y0, , y1] = this.projection.extent;
    const levels = [...new Set(storey)].sort((a, b) => a - b);
    const corner = (level: number, y: number) => this.projection.px([x0, y], storey.indexOf(level));
    for (const level of levels.length > 1 ? levels : []) {
      const [x, y] = corner(level, y1);
      layer.append(s("text", { class: "storey", x: x + 4, y: y - 5 }, level === 0 ? "ground floor" : `storey ${level}`));
    }
    const [x, y] = corner(levels[0], y0);
    const bar = 10 * this.projection.arrangement.scale;
    layer.append(s("path", { class: "scale-bar", d: `M${x + 6},${y - 5} h${bar}` }));
    layer.append(s("text", { class: "scale-words", x: x + 10 + bar, y: y - 2 }, "10 m"));
  }

  private drawZones(zoneLayer: SVGGElement, smokeLayer: SVGGElement, fireLayer: SVGGElement): void {
    const { zones } = this.mission.header.building;
    const order = zones.id.map((_, z) => z).sort((a, b) => Number(zones.indoor[a]) - Number(zones.indoor[b]) || zones.area_m2[b] - zones.area_m2[a]);
    const fires: SVGElement[] = [];
    for (const z of order) {
      const [x0, y0, x1, y1] = zones.bbox_m[z];
      const [left, top] = this.projection.px([x0, y1], z);
      const { scale } = this.projection.arrangement;
      const box = { x: left, y: top, width: (x1 - x0) * scale, height: (y1 - y0) * scale };
      let shape: SVGElement;
      if (zones.kind[z] === "entry") {
        const [cx, cy] = this.projection.px(zones.position_m[z], z);
        shape = s("circle", { cx, cy, r: 0.8 * Math.sqrt(zones.area_m2[z] / Math.PI) * scale });
      } else {
        shape = s("rect", box);
      }
      shape.setAttribute("class", zones.indoor[z] ? "zone" : "zone outdoors");
      shape.setAttribute("data-zone", String(z));
      shape.addEventListener("click", () => this.pick({ kind: "zone", index: z }));
      this.zoneRects[z] = shape;
      zoneLayer.append(shape);
      this.smokeRects[z] = s("rect", { ...box, class: "smoke", fill: `url(#smoke-${this.side})`, visibility: "hidden" });
      smokeLayer.append(this.smokeRects[z]);
      const [fx, fy] = this.projection.px(zones.position_m[z], z);
      fires[z] = s("path", { d: FLAME, class: "fire", transform: `translate(${fx},${fy}) scale(${1.2 * this.projection.arrangement.size})`, visibility: "hidden" });
      fireLayer.append(fires[z]);
    }
    this.fires.push(...fires);
  }

  private drawDoors(layer: SVGGElement): void {
    const { passages, zones } = this.mission.header.building;
    const { scale } = this.projection.arrangement;
    const grown = Math.max(1, 6 / scale);
    const arm = Math.min(4, Math.max(1.8, 0.36 * scale));
    this.svg.style.setProperty("--door", `${Math.min(2.6, Math.max(1.1, 0.22 * scale))}px`);
    passages.zones.forEach(([a, b], e) => {
      const level = zones.storey[a] === zones.storey[b];
      const inside = level && passages.kind[e] !== "outdoor";
      const [from, to] = passages.line_m[e].map((end) => {
        const door = passages.door_m[e];
        return this.projection.px([door[0] + (end[0] - door[0]) * grown, door[1] + (end[1] - door[1]) * grown], a);
      });
      const line = s("path", { d: `M${from} L${to}`, class: inside ? "door" : "door none" });
      const at = level ? this.projection.px(passages.door_m[e], a) : this.projection.px(zones.position_m[a], a);
      const cross = s("path", {
        d: `M${at[0] - arm},${at[1] - arm} l${2 * arm},${2 * arm} M${at[0] + arm},${at[1] - arm} l${-2 * arm},${2 * arm}`,
        class: "cross", visibility: "hidden",
      });
      layer.append(line);
      layer.append(cross);
      this.doors.push(line);
      this.crosses.push(cross);
    });
  }

  private drawMarks(layer: SVGGElement): void {
    const { building } = this.mission.header;
    const kinds: [string, number[]][] = [
      ["entrance", building.entrances],
      ["depot", building.depots],
      ["stair", building.zones.kind.flatMap((kind, z) => (kind === "stair" ? [z] : []))],
      ["elevator", building.zones.kind.flatMap((kind, z) => (kind === "elevator" ? [z] : []))],
    ];
    const size = 0.85 * this.projection.arrangement.size;
    for (const [kind, zones] of kinds) {
      for (const z of zones) {
        const [x0, y0, , y1] = building.zones.bbox_m[z];
        const [x, y] = this.projection.px([x0, kind === "depot" ? y0 : y1], z);
        const inset = 7 * size;
        layer.append(s("path", {
          d: MARKS[kind], class: `mark ${kind}`, "data-kind": kind,
          transform: `translate(${x + inset},${y + (kind === "depot" ? -inset : inset)}) scale(${size})`,
        }));
      }
    }
  }

  /** Show the state after `t` steps. */
  show(t: number, colours: Palette, options: Options, selected: Thing | null): void {
    this.showZones(t, colours, options, selected);
    this.showPassages(t);
  }

  private zoneColour(t: number, z: number, colours: Palette, by: ColourBy): string {
    const { mission } = this;
    if (this.side === "truth") return colours.damage(mission.value("zone.damage", t, z));
    if (by === "age") {
      const written = mission.int("twin.zone.step", t, z);
      return colours.age(written < 0 ? NaN : 2 * Math.round((t - written) / 2));
    }
    // In coarse steps, so that a room is not drawn anew at every breath of its estimate.
    if (by === "trust") return colours.trust(Math.round(20 * mission.zoneTrust(t, z)) / 20);
    return colours.damage(Math.round(10 * mission.value("twin.zone.damage", t, z)) / 10);
  }

  private showZones(t: number, colours: Palette, options: Options, selected: Thing | null): void {
    const { mission } = this;
    const { indoor } = mission.header.building.zones;
    const before = this.side === "twin" ? "twin." : "";
    for (let z = 0; z < mission.zones; z++) {
      if (indoor[z]) {
        this.sparing.put(this.zoneRects[z], "fill", this.zoneColour(t, z, colours, options.colourBy));
        const smoke = options.smoke ? mission.value(`${before}zone.smoke`, t, z) || 0 : 0;
        this.sparing.see(this.smokeRects[z], smoke > 0.05);
        if (smoke > 0.05) this.sparing.put(this.smokeRects[z], "fill-opacity", (0.25 + 0.75 * Math.min(1, smoke / 0.6)).toFixed(1));
        if (this.side === "truth") this.sparing.see(this.fires[z], mission.int("zone.burning", t, z) === 1);
      }
      const off = options.differences && this.side === "twin" && indoor[z] && this.differs(t, z);
      const chosen = selected?.kind === "zone" && selected.index === z;
      this.sparing.put(this.zoneRects[z], "class", `zone${indoor[z] ? "" : " outdoors"}${off ? " differs" : ""}${chosen ? " selected" : ""}`);
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
      this.sparing.put(door, "class", `door${none}${condition === SLOW ? " slow" : condition === BLOCKED ? " blocked" : ""}`);
      this.sparing.see(this.crosses[e], condition === BLOCKED);
    });
  }
}
