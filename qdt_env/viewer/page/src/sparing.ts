// Changes attributes only where they become other ones: what is not touched is not drawn anew.

export class Sparing {
  private readonly shown = new Map<SVGElement, Map<string, string>>();

  put(element: SVGElement, name: string, value: string): void {
    let known = this.shown.get(element);
    if (!known) this.shown.set(element, (known = new Map()));
    if (known.get(name) === value) return;
    known.set(name, value);
    element.setAttribute(name, value);
  }

  see(element: SVGElement, visible: boolean): void {
    this.put(element, "visibility", visible ? "visible" : "hidden");
  }

  forget(): void {
    this.shown.clear();
  }
}
