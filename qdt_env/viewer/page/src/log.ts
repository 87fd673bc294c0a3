// The log of messages with their verdicts: filters, and a list that makes only the rows in sight.
import { byId, h } from "./dom";
import { DELAYED, DELIVERED, FORGED, INJECTED, LOST, Message, Mission, NO_KEY, REJECTED, Thing } from "./mission";

const ROW_PX = 30;
const ORDER = [FORGED, REJECTED, INJECTED, DELAYED, LOST, NO_KEY, DELIVERED];
const CLASSES = ["delivered", "lost", "delayed", "rejected", "no-key", "forged", "injected"];

export const verdictClass = (verdict: number): string => CLASSES[verdict];

export class MessageLog {
  private readonly wanted = new Set(ORDER.filter((verdict) => verdict !== DELIVERED));
  private readonly pane = byId("pane-messages");
  private readonly list = byId<HTMLElement>("log-list");
  private readonly rows = h("div", { class: "log-rows", role: "list" });
  private readonly counted = byId("log-count");
  private readonly chips = new Map<number, HTMLButtonElement>();
  private link = -1;
  private way: "both" | "up" | "down" = "both";
  private found: Message[] = [];
  private step = 0;
  private drawn = "";

  constructor(private readonly mission: Mission, private readonly pick: (thing: Thing, t?: number) => void) {
    this.list.append(this.rows);
    this.list.addEventListener("scroll", () => this.draw());
    this.makeChips();
    const choice = byId<HTMLSelectElement>("log-link");
    for (let link = 0; link < mission.links; link++) choice.append(h("option", { value: link }, mission.linkName(link)));
    choice.addEventListener("change", () => {
      this.link = Number(choice.value);
      this.filter();
    });
    const ways = byId<HTMLSelectElement>("log-way");
    ways.addEventListener("change", () => {
      this.way = ways.value as typeof this.way;
      this.filter();
    });
    this.filter();
  }

  private makeChips(): void {
    const place = byId("log-verdicts");
    for (const verdict of ORDER) {
      const total = this.mission.messages.reduce((n, message) => n + Number(message.verdict === verdict), 0);
      const chip = h("button", {
        type: "button", class: `chip v-${verdictClass(verdict)}`, "aria-pressed": String(this.wanted.has(verdict)), "data-verdict": verdictClass(verdict),
        "data-total": total, onclick: () => this.toggle(verdict),
      }, h("span", { class: "dot" }), this.mission.verdictName(verdict), h("b", {}, total.toLocaleString("en")));
      chip.disabled = total === 0;
      this.chips.set(verdict, chip);
      place.append(chip);
    }
  }

  private toggle(verdict: number): void {
    if (!this.wanted.delete(verdict)) this.wanted.add(verdict);
    this.chips.get(verdict)!.setAttribute("aria-pressed", String(this.wanted.has(verdict)));
    this.filter();
  }

  private filter(): void {
    this.found = this.mission.messages.filter(
      (message) => this.wanted.has(message.verdict) && (this.link < 0 || message.link === this.link)
        && (this.way === "both" || message.down === (this.way === "down")),
    );
    this.counted.textContent = `${this.found.length.toLocaleString("en")} of ${this.mission.messages.length.toLocaleString("en")}`;
    this.counted.setAttribute("data-count", String(this.found.length));
    this.rows.style.height = `${this.found.length * ROW_PX}px`;
    this.drawn = "";
    this.at(this.step);
  }

  /** Bring the messages of a step into sight. */
  at(t: number): void {
    this.step = t;
    if (this.pane.hidden) return;
    const first = this.mission.firstMessage(t, this.found);
    const after = this.mission.firstMessage(t + 1, this.found);
    const bottom = Math.max(after, first) * ROW_PX;
    this.list.scrollTop = Math.max(0, bottom - this.list.clientHeight + ROW_PX);
    this.draw();
  }

  private draw(): void {
    const first = Math.max(0, Math.floor(this.list.scrollTop / ROW_PX) - 4);
    const last = Math.min(this.found.length, first + Math.ceil(this.list.clientHeight / ROW_PX) + 8);
    const key = `${first}-${last}-${this.step}`;
    if (key === this.drawn) return;
    this.drawn = key;
    this.rows.replaceChildren(...this.found.slice(first, last).map((message, k) => this.row(message, first + k)));
    if (!this.found.length) this.rows.append(h("p", { class: "empty" }, "No message matches these filters."));
  }

  private row(message: Message, at: number): HTMLElement {
    const { mission } = this;
    const verdict = mission.verdictName(message.verdict);
    const way = message.down ? "view to" : "report of";
    const when = message.step === this.step ? " now" : message.step > this.step ? " later" : "";
    return h("div", { role: "listitem", class: `log-row${when}`, style: `top:${at * ROW_PX}px` },
      h("button", {
        type: "button", "aria-label": `${mission.clock(message.step)}, ${way} ${mission.linkName(message.link)}: ${verdict}`,
        onclick: () => this.pick({ kind: "message", index: message.link, step: message.step, down: message.down }, message.step),
      }, h("time", {}, mission.clock(message.step)), h("span", { class: "way", "aria-hidden": "true" }, message.down ? "▼" : "▲"),
      h("span", { class: "who" }, mission.linkName(message.link)),
      h("span", { class: `tag v-${verdictClass(message.verdict)}` }, h("span", { class: "dot" }), verdict)));
  }
}
