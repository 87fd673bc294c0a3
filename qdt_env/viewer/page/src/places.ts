// Where everybody stands on the plan, in metres of the building: robots in the upper rows of their zone, patients below.
import { CARRIED, EMPTY, HANDED_OVER, Mission, Side } from "./mission";

export type Point = [number, number];
export interface Places {
  robots: (Point | null)[];
  robotZones: number[];
  patients: (Point | null)[];
  patientZones: number[];
}

const TIGHTEST = 0.62; // of the normal gap, for a crowd in a small room
const MOST_HOPS = 10;

export class Standing {
  private readonly ways: [number, number][][]; // by zone: (zone behind, passage)
  private readonly routes = new Map<number, Point[]>();
  robotGap = 2; // m between neighbours
  patientGap = 1.2;

  constructor(private readonly mission: Mission) {
    const { zones, passages } = mission.header.building;
    this.ways = zones.id.map(() => []);
    passages.zones.forEach(([a, b], passage) => {
      this.ways[a].push([b, passage]);
      this.ways[b].push([a, passage]);
    });
  }

  /** Places of one side after `t` steps; null for those who are not shown. */
  at(t: number, side: Side): Places {
    const { mission } = this;
    const before = side === "twin" ? "twin." : "";
    const robotZones = Array.from({ length: mission.robots }, (_, r) => mission.int(`${before}robot.zone`, t, r));
    const patientZones = Array.from({ length: mission.patients }, (_, p) => {
      const status = mission.int(`${before}patient.status`, t, p);
      return status === EMPTY || status === HANDED_OVER ? -1 : mission.int(`${before}patient.zone`, t, p);
    });
    const carriers = new Map<number, number>();
    for (let r = 0; r < mission.robots; r++) {
      const load = mission.int(`${before}robot.patient`, t, r);
      if (load >= 0 && mission.int(`${before}patient.status`, t, load) === CARRIED) carriers.set(load, r);
    }
    const standing = patientZones.map((zone, p) => (carriers.has(p) ? -1 : zone));
    const { robots, patients } = this.stand(robotZones, standing);
    if (side === "truth") {
      for (let r = 0; r < mission.robots; r++) robots[r] = this.walked(t, r, robotZones[r], robots[r]!);
      this.pushApart(robots as Point[], robotZones);
    }
    for (const [p, r] of carriers) {
      const by = robots[r];
      if (by) patients[p] = [by[0] + 0.42 * this.robotGap, by[1] - 0.3 * this.robotGap];
      patientZones[p] = robotZones[r];
    }
    return { robots, robotZones, patients, patientZones };
  }

  private stand(robotZones: number[], patientZones: number[]): { robots: (Point | null)[]; patients: (Point | null)[] } {
    const groups = [new Map<number, number[]>(), new Map<number, number[]>()];
    [robotZones, patientZones].forEach((zones, side) =>
      zones.forEach((zone, k) => {
        if (zone >= 0) groups[side].set(zone, [...(groups[side].get(zone) ?? []), k]);
      }),
    );
    const placed: (Point | null)[][] = [robotZones.map(() => null), patientZones.map(() => null)];
    const gaps = [this.robotGap, this.patientGap];
    const { bbox_m, position_m } = this.mission.header.building.zones;
    for (const zone of new Set([...groups[0].keys(), ...groups[1].keys()])) {
      const [x0, y0, x1, y1] = bbox_m[zone];
      const members = groups.map((group) => group.get(zone) ?? []);
      const columns = members.map((group, side) =>
        Math.max(1, Math.min(group.length, Math.max(Math.floor((x1 - x0) / gaps[side]), Math.floor(Math.sqrt(group.length))))),
      );
      const depth = members.reduce((sum, group, side) => sum + Math.ceil(group.length / columns[side]) * gaps[side], 0);
      const tight = Math.min(1, Math.max(TIGHTEST, (y1 - y0) / depth));
      let top = position_m[zone][1] + (depth * tight) / 2;
      members.forEach((group, side) => {
        for (let first = 0; first < group.length; first += columns[side]) {
          const row = group.slice(first, first + columns[side]);
          const y = top - (gaps[side] * tight) / 2;
          row.forEach((member, k) => {
            placed[side][member] = [position_m[zone][0] + (k - (row.length - 1) / 2) * gaps[side], y];
          });
          top -= gaps[side] * tight;
        }
      });
    }
    return { robots: placed[0], patients: placed[1] };
  }

  /** Where a robot is that has gone a part of the way to the next zone. */
  private walked(t: number, robot: number, zone: number, start: Point): Point {
    const next = this.mission.int("robot.next", t, robot);
    const { storey, position_m } = this.mission.header.building.zones;
    if (next < 0 || storey[next] !== storey[zone]) return start;
    const fraction = this.mission.value("robot.fraction", t, robot);
    const way = this.ways[zone].find(([behind]) => behind === next);
    const door = way ? this.mission.header.building.passages.door_m[way[1]] : start;
    return fraction < 0.5 ? between(start, door, 2 * fraction) : between(door, position_m[next], 2 * fraction - 1);
  }

  /** Move robots of one storey that stand too close apart, half the way each. */
  private pushApart(robots: Point[], zones: number[]): void {
    const { storey } = this.mission.header.building.zones;
    const gap = 0.62 * this.robotGap;
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < robots.length; i++) {
        for (let j = i + 1; j < robots.length; j++) {
          if (storey[zones[i]] !== storey[zones[j]]) continue;
          const [dx, dy] = [robots[j][0] - robots[i][0], robots[j][1] - robots[i][1]];
          const distance = Math.hypot(dx, dy);
          if (distance >= gap) continue;
          const [ux, uy] = distance > 1e-6 ? [dx / distance, dy / distance] : [1, 0];
          const half = (gap - distance) / 2;
          robots[i] = [robots[i][0] - ux * half, robots[i][1] - uy * half];
          robots[j] = [robots[j][0] + ux * half, robots[j][1] + uy * half];
        }
      }
    }
  }

  /** Doors on the shortest way between two zones, for a smooth picture; none where they are far apart. */
  doors(from: number, to: number): Point[] {
    if (from === to || from < 0 || to < 0) return [];
    const key = from * this.mission.zones + to;
    let found = this.routes.get(key);
    if (!found) {
      found = this.search(from, to);
      this.routes.set(key, found);
    }
    return found;
  }

  private search(from: number, to: number): Point[] {
    const came = new Map<number, [number, number]>([[from, [-1, -1]]]);
    let edge = [from];
    for (let hop = 0; hop < MOST_HOPS && edge.length && !came.has(to); hop++) {
      const next: number[] = [];
      for (const zone of edge) {
        for (const [behind, passage] of this.ways[zone]) {
          if (came.has(behind)) continue;
          came.set(behind, [zone, passage]);
          next.push(behind);
        }
      }
      edge = next;
    }
    const doors: Point[] = [];
    const { passages, zones } = this.mission.header.building;
    for (let zone = to; came.has(zone) && zone !== from; ) {
      const [before, passage] = came.get(zone)!;
      if (zones.storey[before] === zones.storey[zone]) doors.unshift(passages.door_m[passage]);
      zone = before;
    }
    return doors;
  }
}

export const between = (a: Point, b: Point, share: number): Point => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
];

/** The point `share` (0..1) of the way along a line of points. */
export function along(line: Point[], share: number): Point {
  const lengths = line.slice(1).map((point, k) => Math.hypot(point[0] - line[k][0], point[1] - line[k][1]));
  let left = share * lengths.reduce((sum, one) => sum + one, 0);
  for (let k = 0; k < lengths.length; k++) {
    if (left <= lengths[k] && lengths[k] > 0) return between(line[k], line[k + 1], left / lengths[k]);
    left -= lengths[k];
  }
  return line[line.length - 1];
}
