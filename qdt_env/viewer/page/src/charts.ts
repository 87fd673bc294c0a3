// Four charts over the mission's time: lives, trust, keys, QBER, each with a key of its lines. A line at the step shown;
// a click goes there.
import uPlot from "uplot";
import { Palette, Stroke } from "./colours";
import { h, s } from "./dom";
import { Mission, Thing } from "./mission";

interface Line {
  label: string;
  values: (t: number) => number;
  robot?: number;
  link?: number;
  fill?: boolean;
  right?: boolean;
}

interface Sheet {
  id: string;
  title: string;
  unit: string;
  lines: Line[];
  level?: { value: number; words: string };
  right?: string;
}

function sheets(mission: Mission): Sheet[] {
  const robots = mission.header.team.map((_, r) => r);
  const links = Array.from({ length: mission.links }, (_, link) => link);
  const quantum = mission.header.mission.suite.startsWith("qkd") || mission.header.mission.suite === "hybrid";
  const found: Sheet[] = [
    {
      id: "lives", title: "Lives saved", unit: "expected survivors more than without help", right: "handed over",
      lines: [
        { label: "lives saved", values: (t) => mission.exact("lives_saved", t), fill: true },
        { label: "handed over", values: (t) => mission.handedOver(t), right: true },
      ],
    },
    {
      id: "trust", title: "Trust in the robots", unit: "0 to 1, by the twin",
      lines: robots.map((r) => ({ label: `robot ${r}`, values: (t) => mission.value("twin.robot.trust", t, r), robot: r })),
      level: { value: mission.header.config.twin.least_trust, words: "below: not believed" },
    },
    {
      id: "keys", title: "Keys in store", unit: "kbit by link",
      lines: links.map((link) => ({ label: mission.linkName(link), values: (t) => mission.int("link.pool", t, link) / 1000, link })),
    },
    {
      id: "qber", title: "QBER", unit: "% by link",
      lines: links.map((link) => ({ label: mission.linkName(link), values: (t) => 100 * mission.value("link.qber", t, link), link })),
    },
  ];
  return quantum ? found : found.filter((sheet) => sheet.id !== "keys" && sheet.id !== "qber");
}

class Chart {
  readonly card: HTMLElement;
  private readonly box = h("div", { class: "chart-box" });
  private readonly line = h("div", { class: "now-line" });
  private readonly told = h("span", { class: "chart-now" });
  private readonly key = h("div", { class: "chart-key" });
  private readonly data: uPlot.AlignedData;
  private plot: uPlot | null = null;
  private step = 0;

  constructor(private readonly mission: Mission, private readonly sheet: Sheet, private readonly seek: (t: number) => void) {
    const steps = Array.from({ length: mission.steps + 1 }, (_, t) => t);
    this.data = [steps.map((t) => (t * mission.dtS) / 60), ...sheet.lines.map((line) => steps.map(line.values))];
    const words = `${sheet.title}, ${sheet.unit}, over the mission's time; a click goes to that time`;
    this.box.setAttribute("role", "img");
    this.box.setAttribute("aria-label", words);
    this.card = h("figure", { class: "card chart", id: `chart-${sheet.id}` },
      h("figcaption", {}, h("b", {}, sheet.title), h("span", { class: "unit" }, sheet.unit), this.told), this.box, this.key);
  }

  draw(colours: Palette, selected: Thing | null): void {
    this.plot?.destroy();
    const width = Math.max(this.box.clientWidth, 180);
    const ink = colours.variable("pale-ink");
    const grid = { stroke: colours.variable("grid"), width: 1 };
    const font = "11px system-ui, sans-serif";
    const chosen = this.chosen(selected);
    const series: uPlot.Series[] = this.sheet.lines.map((line, k) => {
      const { colour, dash } = this.stroke(line, colours);
      const faded = chosen !== null && chosen !== k;
      return {
        label: line.label, stroke: colour, dash, scale: line.right ? "right" : "y", points: { show: false }, alpha: faded ? 0.2 : 1,
        width: chosen === k ? 2.5 : line.fill ? 2 : this.gateway(line) ? 1 : 1.5, fill: line.fill ? colours.variable("accent-fill") : undefined,
        paths: line.right ? uPlot.paths.stepped!({ align: 1 }) : undefined,
      };
    });
    const axes: uPlot.Axis[] = [
      { stroke: ink, grid, ticks: grid, font, size: 26, values: (_, ticks) => ticks.map((x) => `${x} min`), space: 60 },
      { stroke: ink, grid, ticks: grid, font, size: 48 },
    ];
    if (this.sheet.right) axes.push({ stroke: ink, side: 1, scale: "right", grid: { show: false }, ticks: grid, font, size: 34, incrs: [1, 2, 5, 10, 20, 50] });
    this.plot = new uPlot(
      {
        width, height: 132, legend: { show: false }, cursor: { show: false }, padding: [8, this.sheet.right ? 8 : 26, 0, 0],
        scales: { x: { time: false }, y: { range: (_, low, high) => range(low, high, this.sheet) }, right: { range: (_, __, high) => [0, Math.max(1, high)] } },
        series: [{}, ...series], axes,
        hooks: { draw: [(plot) => this.drawLevel(plot, colours), (plot) => this.place(plot)] },
      },
      this.data, this.box,
    );
    this.plot.over.append(this.line);
    this.plot.over.addEventListener("click", (event) => {
      const minutes = this.plot!.posToVal(event.offsetX, "x");
      this.seek(Math.round((minutes * 60) / this.mission.dtS));
    });
    this.fillKey(colours);
    this.at(this.step);
  }

  private gateway(line: Line): boolean {
    return line.link !== undefined && line.link >= this.mission.robots;
  }

  private stroke(line: Line, colours: Palette): Stroke {
    if (line.fill) return { colour: colours.variable("accent"), dash: [] };
    if (line.right) return { colour: colours.variable("green"), dash: [6, 3] };
    if (this.gateway(line)) return { colour: colours.variable("gateway-line"), dash: [] };
    return colours.line(line.robot ?? line.link ?? 0);
  }

  /** Which line is what; gateways are drawn alike and named once. */
  private fillKey(colours: Palette): void {
    const words = (line: Line) => (this.gateway(line) ? "gateways" : line.right ? `${line.label} (right)` : line.label);
    const strokes = new Map(this.sheet.lines.map((line) => [words(line), this.stroke(line, colours)]));
    this.key.replaceChildren(...[...strokes].map(([name, { colour, dash }]) => h("span", { class: "key" },
      s("svg", { viewBox: "0 0 24 6", class: "sample", "aria-hidden": "true" },
        s("path", { d: "M0,3 H24", stroke: colour, "stroke-width": 2, "stroke-dasharray": dash.join(" ") })), name)));
  }

  private chosen(selected: Thing | null): number | null {
    if (!selected || (selected.kind !== "robot" && selected.kind !== "message")) return null;
    const found = this.sheet.lines.findIndex((line) => (line.robot ?? line.link) === selected.index);
    return found < 0 ? null : found;
  }

  private drawLevel(plot: uPlot, colours: Palette): void {
    if (!this.sheet.level) return;
    const y = plot.valToPos(this.sheet.level.value, "y", true);
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colours.variable("red");
    ctx.setLineDash([4, 4]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.textAlign = "left";
    ctx.font = `${10 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.fillText(this.sheet.level.words, bbox.left + 6, y + 12 * devicePixelRatio);
    ctx.restore();
  }

  /** The line at the step shown; a plot that was not drawn yet has no scale, and comes back here when it is drawn. */
  private place(plot: uPlot): void {
    if (plot.scales.x.min == null) return;
    this.line.style.transform = `translateX(${plot.valToPos((this.step * this.mission.dtS) / 60, "x").toFixed(1)}px)`;
  }

  at(t: number): void {
    this.step = t;
    if (!this.plot) return;
    this.place(this.plot);
    if (this.sheet.id === "lives") this.told.textContent = this.sheet.lines[0].values(t).toFixed(2);
    else {
      const now = this.sheet.lines.map((line) => line.values(t)).filter((x) => !Number.isNaN(x));
      this.told.textContent = now.length ? `${short(Math.min(...now))} – ${short(Math.max(...now))}` : "";
    }
  }
}

const short = (x: number): string => (Math.abs(x) >= 100 ? x.toFixed(0) : Math.abs(x) >= 10 ? x.toFixed(1) : x.toFixed(2));

function range(low: number, high: number, sheet: Sheet): [number, number] {
  if (sheet.id === "trust") return [0, 1];
  const top = high === low ? high + 0.1 : high + 0.06 * (high - low);
  return [low < 0 ? low - 0.06 * (high - low) : 0, top];
}

export class Charts {
  private readonly charts: Chart[];

  constructor(mission: Mission, place: HTMLElement, seek: (t: number) => void) {
    this.charts = sheets(mission).map((sheet) => new Chart(mission, sheet, seek));
    for (const chart of this.charts) place.append(chart.card);
  }

  draw(colours: Palette, selected: Thing | null): void {
    for (const chart of this.charts) chart.draw(colours, selected);
  }

  at(t: number): void {
    for (const chart of this.charts) chart.at(t);
  }
}
