// The two sides on the page: how large the plans can be, zoom in step, words under the pointer.
import { select } from "d3-selection";
import { ZoomBehavior, ZoomTransform, zoom, zoomIdentity } from "d3-zoom";
import { Palette } from "./colours";
import { byId, h } from "./dom";
import { Mission, Side, Thing } from "./mission";
import { Standing } from "./places";
import { Options } from "./building";
import { PlanView } from "./plan";
import { Arrangement, TITLE_PX, extent } from "./projection";

const GAP_PX = 12;
const CAPTION_PX = 30;

export class Stage {
  sides: "both" | Side = "both";
  private readonly views: PlanView[];
  private readonly figures: HTMLElement[];
  private readonly standing: Standing;
  private readonly zooming: ZoomBehavior<HTMLElement, unknown>;
  private step = 0;

  constructor(private readonly mission: Mission, pick: (thing: Thing) => void) {
    this.standing = new Standing(mission);
    this.views = (["truth", "twin"] as const).map((side) => new PlanView(mission, this.standing, side, pick));
    const captions = ["Truth", "What the twin believes"];
    this.figures = this.views.map((view, k) => h("figure", { class: `side ${view.side}` }, h("figcaption", {}, captions[k]), view.box));
    byId("sides").append(...this.figures);
    this.zooming = zoom<HTMLElement, unknown>().scaleExtent([1, 8])
      .filter((event: Event) => (event.type === "wheel" ? (event as WheelEvent).ctrlKey : this.zoomed() || event.type === "touchstart" && (event as TouchEvent).touches.length > 1))
      .on("zoom", (event: { transform: ZoomTransform; sourceEvent: Event | null }) => this.follow(event.transform));
    for (const view of this.views) {
      select(view.box).call(this.zooming).on("dblclick.zoom", null);
      this.pointTips(view);
    }
    const by = (id: string, act: () => void) => byId(id).addEventListener("click", act);
    by("zoom-in", () => this.magnify(1.5));
    by("zoom-out", () => this.magnify(1 / 1.5));
    by("zoom-reset", () => this.zooming.transform(select(this.views[0].box), zoomIdentity));
  }

  private transform: ZoomTransform = zoomIdentity;
  private scaled = { gap: 24, scale: 1 };
  private last: { colours: Palette; options: Options; selected: Thing | null } | null = null;

  private zoomed(): boolean {
    return this.transform.k > 1;
  }

  /** Zoom about what is selected, brought to the middle as far as the plan reaches. */
  private magnify(factor: number): void {
    const view = this.views.find((one) => this.sides === "both" || one.side === this.sides)!;
    const box = select(view.box);
    this.zooming.scaleBy(box, factor);
    this.zooming.translateTo(box, ...view.spot(this.last?.selected ?? null));
  }

  /** Both sides show the same part. */
  private follow(transform: ZoomTransform): void {
    const magnified = transform.k !== this.transform.k;
    this.transform = transform;
    for (const view of this.views) {
      view.look(transform.toString(), transform.k);
      (view.box as HTMLElement & { __zoom?: ZoomTransform }).__zoom = transform;
    }
    if (magnified) this.spread();
  }

  /** Distances between those who stand together, by size of the symbols; shown anew. */
  private spread(): void {
    const shrunk = this.scaled.scale * this.transform.k ** 0.6;
    this.standing.robotGap = (24 * this.scaled.gap) / shrunk;
    this.standing.patientGap = (14.5 * this.scaled.gap) / shrunk;
    if (this.last) this.show(this.step, this.last.colours, this.last.options, this.last.selected);
  }

  /** Choose the arrangement that shows the building largest, and draw it. */
  arrange(): void {
    const place = byId("sides");
    const narrow = innerWidth < 720;
    const shown = this.views.filter((view) => this.sides === "both" || view.side === this.sides);
    const best = arrangement(this.mission, place.clientWidth, narrow ? Infinity : Math.max(460, innerHeight - 300), shown.length, narrow);
    this.scaled = { gap: best.size, scale: best.scale };
    this.last = null;
    place.classList.toggle("beside", best.beside);
    this.views.forEach((view, k) => {
      this.figures[k].hidden = !shown.includes(view);
      view.build(best);
      this.zooming.extent([[0, 0], [best.width, best.height]]).translateExtent([[0, 0], [best.width, best.height]]);
    });
    this.follow(zoomIdentity);
    this.spread();
  }

  show(t: number, colours: Palette, options: Options, selected: Thing | null): void {
    this.step = t;
    this.last = { colours, options, selected };
    for (const view of this.views) if (this.sides === "both" || view.side === this.sides) view.show(t, colours, options, selected);
  }

  move(share: number): void {
    for (const view of this.views) if (view.side === "truth" && this.sides !== "twin") view.move(share);
  }

  private pointTips(view: PlanView): void {
    const tip = byId("tip");
    view.box.addEventListener("pointermove", (event) => {
      const target = (event.target as Element).closest<SVGElement>("[data-zone], [data-robot], [data-patient]");
      if (!target || event.pointerType === "touch") {
        tip.hidden = true;
        return;
      }
      tip.textContent = this.words(target.dataset, view.side);
      tip.hidden = false;
      tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${event.clientY + 16}px`;
    });
    view.box.addEventListener("pointerleave", () => (tip.hidden = true));
  }

  private words(data: DOMStringMap, side: Side): string {
    const { mission, step } = this;
    const before = side === "twin" ? "twin." : "";
    if (data.robot !== undefined) {
      const r = Number(data.robot);
      return `robot ${r}, ${mission.header.team[r]}: ${mission.task(mission.int(`${before}robot.task`, step, r))}`;
    }
    if (data.patient !== undefined) {
      const p = Number(data.patient);
      const known = side === "truth" || mission.int("twin.patient.known", step, p);
      const rpm = known ? `RPM ${mission.value(`${before}patient.rpm`, step, p).toFixed(1)}` : "nobody saw";
      return `patient ${p}: ${mission.name("patient_status", mission.int(`${before}patient.status`, step, p))}, ${rpm}`;
    }
    const z = Number(data.zone);
    const { id, name } = mission.header.building.zones;
    const damage = mission.damageName(mission.value(`${before}zone.damage`, step, z));
    const written = mission.int("twin.zone.step", step, z);
    const news = side === "twin" && written >= 0 ? `, news ${mission.ago(step - written)} old` : "";
    return `${id[z]} ${name[z].toLowerCase()}: damage ${damage}${news}`;
  }
}

/** How to lay out the storeys of `sides` sides in the room there is. */
function arrangement(mission: Mission, width: number, height: number, sides: number, narrow: boolean): Arrangement & { beside: boolean } {
  const [x0, y0, x1, y1] = extent(mission);
  const [w, d] = [x1 - x0, y1 - y0];
  const { storey } = mission.header.building.zones;
  const storeys = Math.max(...storey) - Math.min(...storey) + 1;
  const title = storeys > 1 ? TITLE_PX : 0;
  let best: (Arrangement & { beside: boolean }) | null = null;
  for (const beside of narrow || sides === 1 ? [false] : [true, false]) {
    for (let columns = 1; columns <= storeys; columns++) {
      const rows = Math.ceil(storeys / columns);
      const roomW = beside ? (width - GAP_PX) / 2 - 18 : width - 18;
      const roomH = (beside ? height : (height - GAP_PX * (sides - 1)) / sides) - CAPTION_PX;
      const least = Math.min(roomW / columns / w, 5); // rather scroll than make rooms too small to see
      const scale = Math.max(least, Math.min(roomW / columns / w, (roomH / rows - title) / d, 24));
      const fitted = Math.min(scale, roomW / columns / w);
      if (!best || fitted > best.scale * 1.02) {
        const size = Math.max(0.72, Math.min(1.35, fitted / 11));
        best = { columns, scale: fitted, width: Math.round(columns * w * fitted), height: Math.round(rows * (d * fitted + title)), size, beside };
      }
    }
  }
  return best!;
}
