// The floor plans of one side, truth or twin: the building, and above it who moves in it.
import { ActorView } from "./actors";
import { BuildingView, Options } from "./building";
import { Palette } from "./colours";
import { h } from "./dom";
import { Mission, Side, Thing } from "./mission";
import { Point, Standing } from "./places";
import { Arrangement, Projection } from "./projection";

export class PlanView {
  readonly box: HTMLElement;
  private readonly building: BuildingView;
  private readonly actors: ActorView;

  constructor(private readonly mission: Mission, standing: Standing, readonly side: Side, pick: (thing: Thing) => void) {
    this.building = new BuildingView(mission, side, pick);
    this.actors = new ActorView(mission, standing, side, pick);
    this.box = h("div", { class: `plan ${side}` }, this.building.svg, this.actors.svg);
  }

  /** Draw everything anew for an arrangement. */
  build(arrangement: Arrangement): void {
    const projection = new Projection(this.mission, arrangement);
    this.box.style.width = `${arrangement.width}px`;
    this.box.style.height = `${arrangement.height}px`;
    this.building.build(projection);
    this.actors.build(projection);
  }

  /** Show the state after `t` steps. */
  show(t: number, colours: Palette, options: Options, selected: Thing | null): void {
    this.building.show(t, colours, options, selected);
    this.actors.show(t, colours, selected);
  }

  /** Move those who walk a share of the way from the step shown to the next. */
  move(share: number): void {
    this.actors.move(share);
  }

  /** Pixel of what is selected, or of the first robot. */
  spot(selected: Thing | null): Point {
    return this.actors.spot(selected);
  }

  /** Show another part, so much magnified. */
  look(transform: string, magnified: number): void {
    this.building.world.setAttribute("transform", transform);
    this.actors.world.setAttribute("transform", transform);
    this.actors.magnified = magnified;
    this.box.classList.toggle("zoomed", magnified > 1);
  }
}
