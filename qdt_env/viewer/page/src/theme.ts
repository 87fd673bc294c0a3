// Light or dark: as the system says, until the button is pressed.
import { byId } from "./dom";

/** Make the button work; `changed` is called when the theme is another one. */
export function initTheme(changed: () => void): void {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  byId("theme").addEventListener("click", () => {
    const dark = getComputedStyle(root).getPropertyValue("--scheme").trim() === "dark";
    root.dataset.theme = dark ? "light" : "dark";
    changed();
  });
  system.addEventListener("change", changed);
}
