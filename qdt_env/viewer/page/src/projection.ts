// From metres of the building to pixels: all storeys of one side in one picture.
import { Mission } from "./mission";
import { Point } from "./places";

/** Storeys in so many columns, px per metre, size of the picture in px, size of the signs (1: normal). */
export interface Arrangement { columns: number; scale: number; width: number; height: number; size: number }

export const TITLE_PX = 20; // above every storey, where there are several
const MARGIN_M = 1.2;

/** Extent of the building's plan in metres. */
export function extent(mission: Mission): [number, number, number, number] {
  const boxes = mission.header.building.zones.bbox_m;
  const side = (k: number, pick: (...x: number[]) => number) => boxes.reduce((x, box) => pick(x, box[k]), boxes[0][k]);
  return [side(0, Math.min) - MARGIN_M, side(1, Math.min) - MARGIN_M, side(2, Math.max) + MARGIN_M, side(3, Math.max) + MARGIN_M];
}

export class Projection {
  readonly extent: [number, number, number, number];
  readonly storeys: number;
  private readonly lowest: number;
  private readonly titlePx: number;

  constructor(readonly mission: Mission, readonly arrangement: Arrangement) {
    const { storey } = mission.header.building.zones;
    this.extent = extent(mission);
    this.lowest = Math.min(...storey);
    this.storeys = Math.max(...storey) - this.lowest + 1;
    this.titlePx = this.storeys > 1 ? TITLE_PX : 0;
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
}

/** A picture of the arrangement's size. */
export function sized(svg: SVGSVGElement, { width, height }: Arrangement): void {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(height));
}
