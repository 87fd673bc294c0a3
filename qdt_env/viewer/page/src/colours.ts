// Colours by value, from the theme's variables: damage by lightness in one hue, trust from orange to blue.
import { interpolateRgb } from "d3-interpolate";

/** How a line of a chart is drawn, in the plot and in its key. */
export interface Stroke {
  colour: string;
  dash: number[]; // px on and off; none: solid
}

const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];
const HUES = 7; // as many --line-k as the style has; with 4 dashes, 28 lines differ

export interface Palette {
  damage: (damage: number) => string; // 0..5, NaN: no news
  age: (steps: number) => string; // NaN: no news
  trust: (trust: number) => string; // 0..1, NaN: no news
  triage: (rpm: number) => string;
  verdict: string[]; // by verdict, and for the injected
  line: (k: number) => Stroke;
  variable: (name: string) => string;
}

/** The palette of the theme in force. */
export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const variable = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const ramp = (names: string[]) => {
    const colours = names.map(variable);
    const parts = colours.slice(1).map((colour, k) => interpolateRgb(colours[k], colour));
    return (x: number) => {
      const at = Math.min(Math.max(x, 0), 1) * parts.length;
      const part = Math.min(Math.floor(at), parts.length - 1);
      return parts[part](at - part);
    };
  };
  const damage = ramp([0, 1, 2, 3, 4, 5].map((k) => `damage-${k}`));
  const trust = ramp(["trust-0", "trust-1", "trust-2"]);
  const age = ramp(["age-0", "age-1", "age-2"]);
  const none = variable("no-news");
  return {
    damage: (x) => (Number.isNaN(x) ? none : damage(x / 5)),
    age: (x) => (Number.isNaN(x) ? none : age(1 - Math.exp(-x / 40))),
    trust: (x) => (Number.isNaN(x) ? none : trust(x)),
    triage: (rpm) => variable(rpm >= 11 ? "green" : rpm >= 7 ? "yellow" : "red"),
    verdict: ["delivered", "lost", "delayed", "rejected", "no-key", "forged", "injected"].map((v) => variable(`v-${v}`)),
    line: (k) => ({ colour: variable(`line-${k % HUES}`), dash: DASHES[k % DASHES.length] }),
    variable,
  };
}
