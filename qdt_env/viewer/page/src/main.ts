// The page: reads and checks the recording, then plays it.
import { Charts } from "./charts";
import { Palette, palette } from "./colours";
import { byId, h, s } from "./dom";
import { LedgerCheck, checkLedger } from "./ledger";
import { MessageLog } from "./log";
import { Mission, Thing } from "./mission";
import { Figures, RobotPane, legend, numbersPane, proofPane } from "./panes";
import { Player } from "./player";
import { ColourBy, Options } from "./building";
import { Recording, readRecording } from "./recording";
import { Stage } from "./stage";
import { Story } from "./story";
import { initTheme } from "./theme";

class Page {
  private readonly mission: Mission;
  private readonly stage: Stage;
  private readonly charts: Charts;
  private readonly log: MessageLog;
  private readonly story: Story;
  private readonly figures: Figures;
  private readonly robots: RobotPane;
  private readonly player: Player;
  private readonly options: Options = { colourBy: "damage", smoke: true, differences: false };
  private colours: Palette;
  private selected: Thing | null = null;
  private check: LedgerCheck | null = null;
  private readonly storyPane = byId("pane-story");
  private readonly storyPlace = byId("story");
  private overviewed = ""; // what the overview shows
  private told = -1; // the step shown
  private keyed: { colours: Palette; shown: HTMLElement } | null = null;

  constructor(recording: Recording, name: string) {
    this.mission = new Mission(recording);
    this.colours = palette();
    const pick = (thing: Thing | null, t?: number) => this.select(thing, t);
    this.head(name);
    byId("app").hidden = byId("player").hidden = false;
    this.figures = new Figures(this.mission, byId("kpis"));
    this.stage = new Stage(this.mission, pick);
    this.story = new Story(this.mission, pick);
    this.robots = new RobotPane(this.mission, byId("pane-robots"), pick);
    this.player = new Player(this.mission, (t, share) => this.show(t, share));
    this.charts = new Charts(this.mission, byId("charts"), (t) => this.player.go(t));
    this.log = new MessageLog(this.mission, (thing, t) => this.select(thing, t));
    this.fillFind();
    this.controls();
    byId("pane-numbers").append(...numbersPane(this.mission));
    initTheme(() => this.repaint());
    this.repaint();
    const asked = /^#step=(\d+)$/.exec(location.hash);
    this.player.go(asked ? Number(asked[1]) : 0);
    let resized = 0;
    addEventListener("resize", () => {
      clearTimeout(resized);
      resized = window.setTimeout(() => this.repaint(), 120);
    });
    void this.prove();
  }

  private head(name: string): void {
    const { mission } = this.mission.header;
    const who = Object.values(mission.player).filter((one) => one !== "none").join(" + ");
    const parts = [who, `suite ${mission.suite}`, `threats ${mission.threats}`, `${mission.channel} channel`, `seed ${mission.seed}`, name];
    byId("title").textContent = mission.scenario;
    byId("subtitle").textContent = parts.filter(Boolean).join(" · ");
    document.title = `${mission.scenario}, seed ${mission.seed}: mission replay`;
    this.badges(true);
    if (!this.mission.recording.end) notice("warn", `This recording was cut after step ${this.mission.steps} (${this.mission.clock(this.mission.steps)}): whoever wrote it was killed, or the file lost its end. What is shown is whole up to there.`);
  }

  /** The legend, made once a theme: it does not change from step to step. */
  private key(): HTMLElement {
    if (this.keyed?.colours !== this.colours) this.keyed = { colours: this.colours, shown: legend(this.mission, this.colours) };
    return this.keyed.shown;
  }

  private badges(running: boolean): void {
    const { recording } = this.mission;
    const list = [recording.end ? badge("good", "chain holds", "chain") : badge("warn", "cut short", "chain")];
    if (recording.header.ledger) {
      list.push(running || !this.check ? badge("", "checking the ledger …", "ledger")
        : this.check.problem ? badge("bad", "ledger does not hold", "ledger")
          : badge("good", `ledger signed to step ${this.check.signed}`, "ledger"));
    }
    for (const one of list) one.addEventListener("click", () => this.tab("proof"));
    byId("badges").replaceChildren(...list);
  }

  private async prove(): Promise<void> {
    byId("pane-proof").replaceChildren(...proofPane(this.mission, null, true));
    this.check = await checkLedger(this.mission.recording);
    this.badges(false);
    byId("pane-proof").replaceChildren(...proofPane(this.mission, this.check, false));
    if (!this.check?.problem) return;
    // What the ledger contradicts is not shown as true.
    this.player.stop();
    byId("app").hidden = byId("player").hidden = true;
    notice("bad", `The ledger within this recording does not hold: ${this.check.problem}. The mission is not shown.`);
  }

  /** Draw everything anew: another theme, another size. */
  private repaint(): void {
    this.colours = palette();
    this.stage.arrange();
    this.charts.draw(this.colours, this.selected);
    this.refresh();
  }

  private refresh(): void {
    this.told = -1;
    this.robots.stale();
    this.show(this.player.step, 0);
  }

  private show(t: number, share: number): void {
    if (t !== this.told) {
      this.told = t;
      this.stage.show(t, this.colours, this.options, this.selected);
      this.figures.at(t);
      this.charts.at(t);
      this.log.at(t);
      this.robots.at(t);
      this.tell(t);
    }
    this.stage.move(share);
  }

  private tell(t: number): void {
    if (this.storyPane.hidden) return;
    if (!this.selected) return this.overview(t);
    this.overviewed = "";
    const scrolled = this.storyPane.scrollTop;
    this.storyPlace.replaceChildren(this.story.of(this.selected, t));
    this.storyPane.scrollTop = scrolled;
  }

  /** What is told while nothing is selected: the last events. */
  private overview(t: number): void {
    const happened = this.mission.happenings.filter((one) => one.step <= t);
    const attacks = this.mission.attacks(this.mission.int("clock.attacks", t));
    const key = `${happened.length} ${attacks.join()} ${this.colours.variable("scheme")}`;
    if (key === this.overviewed) return;
    this.overviewed = key;
    const past = happened.slice(-30).reverse();
    this.storyPlace.replaceChildren(h("div", { class: "story" },
      h("p", { class: "sub" }, "Click a zone, a robot, a patient or a message for its story."),
      h("h4", {}, "Attacks under way"), h("p", {}, attacks.length ? attacks.join(", ") : "none"),
      h("h4", {}, "What happened so far"),
      past.length ? h("ol", { class: "timeline" }, ...past.map((one) => h("li", {}, h("button", { type: "button", onclick: () => this.player.go(one.step) },
        h("time", {}, this.mission.clock(one.step)), h("span", { class: `dot h-${one.what}` }), h("span", {}, one.words))))) : h("p", { class: "empty" }, "Nothing yet."),
      h("h4", {}, "What the plans show"), this.key()));
  }

  private select(thing: Thing | null, t?: number): void {
    if (t !== undefined) this.player.go(t);
    if (thing === null) return;
    this.selected = thing;
    byId<HTMLSelectElement>("find").value = thing.kind === "message" ? "" : `${thing.kind}:${thing.index}`;
    this.tab("story");
    this.charts.draw(this.colours, this.selected);
    this.refresh();
    byId("pane-story").scrollTop = 0;
  }

  private fillFind(): void {
    const find = byId<HTMLSelectElement>("find");
    const { mission } = this;
    const group = (label: string, kind: string, names: string[]) =>
      h("optgroup", { label }, ...names.map((name, k) => h("option", { value: `${kind}:${k}` }, name)));
    const patients = Array.from({ length: mission.patients }, (_, p) => p).filter((p) => mission.int("patient.status", 0, p));
    find.append(h("option", { value: "" }, "the mission"), group("robots", "robot", mission.header.team.map((kind, r) => `robot ${r}, ${kind}`)),
      h("optgroup", { label: "patients" }, ...patients.map((p) => h("option", { value: `patient:${p}` }, `patient ${p}`))),
      group("zones", "zone", mission.header.building.zones.id.map((id, z) => `${id} ${mission.header.building.zones.name[z].toLowerCase()}`)));
    find.addEventListener("change", () => {
      const [kind, index] = find.value.split(":");
      if (find.value) this.select({ kind: kind as "zone", index: Number(index) });
      else {
        this.selected = null;
        this.charts.draw(this.colours, null);
        this.refresh();
      }
    });
  }

  private controls(): void {
    const radios = (name: string, change: (value: string) => void) => {
      for (const radio of document.querySelectorAll<HTMLInputElement>(`input[name=${name}]`)) radio.addEventListener("change", () => change(radio.value));
    };
    radios("colour", (value) => {
      this.options.colourBy = value as ColourBy;
      this.refresh();
    });
    radios("sides", (value) => {
      this.stage.sides = value as typeof this.stage.sides;
      this.repaint();
    });
    for (const name of ["smoke", "differences"] as const) {
      byId<HTMLInputElement>(name).addEventListener("change", (event) => {
        this.options[name] = (event.target as HTMLInputElement).checked;
        this.refresh();
      });
    }
    const tabs = [...document.querySelectorAll<HTMLElement>("[role=tab]")];
    tabs.forEach((tab, k) => {
      tab.addEventListener("click", () => this.tab(tab.id.slice(4)));
      tab.addEventListener("keydown", (event) => {
        const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (!way) return;
        event.stopPropagation();
        const next = tabs[(k + way + tabs.length) % tabs.length];
        this.tab(next.id.slice(4));
        next.focus();
      });
    });
  }

  private tab(name: string): void {
    for (const tab of document.querySelectorAll<HTMLElement>("[role=tab]")) {
      const chosen = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      byId(`pane-${tab.id.slice(4)}`).hidden = !chosen;
    }
    this.robots.stale();
    this.log.at(this.player.step);
    this.robots.at(this.player.step);
    this.tell(this.player.step);
  }
}

function badge(kind: string, words: string, id: string): HTMLElement {
  const path = kind === "good" ? "M5 12.500l4.500 4.500L19 7.500" : kind === "" ? "M12 6v6l4 2" : "M12 6v7M12 16.500v1";
  return h("button", { type: "button", class: `badge ${kind}`, id: `badge-${id}` },
    s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: path, fill: "none", stroke: "currentColor", "stroke-width": 2.5, "stroke-linecap": "round" })), words);
}

function notice(kind: "warn" | "bad", words: string): void {
  const place = byId("notice");
  place.className = `notice ${kind}`;
  place.textContent = words;
  place.hidden = false;
}

function start(): void {
  const block = document.getElementById("recording");
  if (!block) return notice("bad", "This page holds no recording: make one with \"qdt replay\".");
  try {
    const text = atob(block.textContent ?? "");
    const data = new Uint8Array(text.length);
    for (let k = 0; k < data.length; k++) data[k] = text.charCodeAt(k);
    new Page(readRecording(data), block.dataset.name ?? "");
  } catch (error) {
    byId("app").hidden = byId("player").hidden = true;
    initTheme(() => undefined);
    notice("bad", `${error instanceof Error ? error.message : error} The mission is not shown.`);
  }
  document.documentElement.dataset.ready = "true";
}

start();
