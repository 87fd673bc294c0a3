// Time: play and pause, speed, slider, keys.
import { byId, s } from "./dom";
import { Mission } from "./mission";

const SPEEDS = [1, 2, 4, 8, 16, 32];

export class Player {
  step = 0;
  private playing = false;
  private speed: number;
  private at = 0; // steps, with the share of the next
  private then = 0;
  private readonly slider = byId<HTMLInputElement>("slider");
  private readonly when = byId("when");
  private readonly button = byId("play");

  constructor(private readonly mission: Mission, private readonly show: (t: number, share: number) => void) {
    this.slider.max = String(mission.steps);
    this.speed = mission.steps > 300 ? 8 : 4;
    const speed = byId<HTMLSelectElement>("speed");
    for (const one of SPEEDS) speed.append(new Option(`${one} step${one > 1 ? "s" : ""}/s`, String(one), false, one === this.speed));
    speed.addEventListener("change", () => (this.speed = Number(speed.value)));
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    this.button.addEventListener("click", () => this.toggle());
    const buttons: [string, () => void][] = [["first", () => this.go(0)], ["back", () => this.go(this.step - 1)], ["forward", () => this.go(this.step + 1)], ["last", () => this.go(mission.steps)]];
    for (const [id, act] of buttons) byId(id).addEventListener("click", act);
    addEventListener("keydown", (event) => this.key(event));
    this.drawTicks();
  }

  /** Show the state after `t` steps. */
  go(t: number): void {
    this.at = this.step = Math.max(0, Math.min(this.mission.steps, t));
    this.tell();
    this.show(this.step, 0);
  }

  toggle(): void {
    if (this.playing) return this.stop();
    if (this.step >= this.mission.steps) this.go(0);
    this.playing = true;
    this.then = performance.now();
    this.state();
    requestAnimationFrame((now) => this.frame(now));
  }

  stop(): void {
    this.playing = false;
    this.state();
    this.show(this.step, 0);
    this.at = this.step;
  }

  private frame(now: number): void {
    if (!this.playing) return;
    const passed = Math.max(0, now - this.then); // a frame's time may lie before the press of the button
    this.at = Math.min(this.mission.steps, this.at + (passed / 1000) * this.speed);
    this.then = now;
    const step = Math.floor(this.at);
    if (step !== this.step) {
      this.step = step;
      this.tell();
    }
    this.show(step, this.at - step);
    if (step >= this.mission.steps) this.stop();
    else requestAnimationFrame((next) => this.frame(next));
  }

  private state(): void {
    this.button.setAttribute("aria-pressed", String(this.playing));
    this.button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
  }

  private tell(): void {
    const { mission, step } = this;
    this.slider.value = String(step);
    this.slider.setAttribute("aria-valuetext", `step ${step} of ${mission.steps}, ${mission.clock(step)}`);
    this.slider.style.setProperty("--done", `${(100 * step) / Math.max(1, mission.steps)}%`);
    this.when.textContent = `${mission.clock(step)} · ${step}/${mission.steps}`;
    this.when.dataset.step = String(step);
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("select, [role=tab], .log-list")) return;
    if (target instanceof HTMLInputElement && target.type === "radio" && event.key.startsWith("Arrow")) return;
    const far = event.shiftKey ? 10 : 1;
    const acts: Record<string, () => void> = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.go(this.step - far),
      ArrowRight: () => this.go(this.step + far),
      Home: () => this.go(0),
      End: () => this.go(this.mission.steps),
    };
    if (event.key === " " && target.closest("button, [role=button], summary, input[type=checkbox], input[type=radio]")) return;
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  private drawTicks(): void {
    const ticks = byId<SVGSVGElement>("ticks");
    const width = Math.max(1, this.mission.steps);
    ticks.setAttribute("viewBox", `0 0 ${width} 10`);
    for (const one of this.mission.happenings) {
      ticks.append(s("rect", { x: one.step - width / 600, y: 0, width: width / 300, height: 10, class: `tick h-${one.what}` }));
    }
  }
}
