// Builds replay.html: one file with script, style and the licences of what is bundled inside. "make page" runs it.
// The page names the SHA-256 of its sources, so that a test can tell whether it was built from them.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const names = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json"];
names.push(...readdirSync("src").map((name) => `src/${name}`));
const sources = createHash("sha256");
for (const name of names.sort()) {
  const text = readFileSync(name);
  sources.update(`${name}:${text.length}\n`);
  sources.update(text);
}

const bundled = await build({
  entryPoints: ["src/main.ts"],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  write: false,
  metafile: true,
});
const script = bundled.outputFiles[0].text.replaceAll("</script", "<\\/script").trim();
const styled = await build({
  stdin: {
    contents: '@import "uplot/dist/uPlot.min.css";\n@import "./src/style.css";',
    loader: "css",
    resolveDir: ".",
  },
  bundle: true,
  minify: true,
  write: false,
});
const style = styled.outputFiles[0].text.trim();

// Whose code is in the bundle, with their licences.
const packages = new Set(["uplot"]);
for (const input of Object.keys(bundled.metafile.inputs)) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input);
  if (found) packages.add(found[1]);
}
const licences = [...packages].sort().map((name) => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const text = readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim();
  return `${name} ${version} (${license})\n\n${text}`;
});

const allowed = createHash("sha256").update(script).digest("base64");
// Nothing may be fetched from anywhere, and no other script may run.
const policy = `default-src 'none'; script-src 'sha256-${allowed}'; style-src 'unsafe-inline'; img-src data:`;
const page = readFileSync("src/index.html", "utf8")
  .replace("<!--policy-->", () => `<meta http-equiv="Content-Security-Policy" content="${policy}">`)
  .replace("<!--sources-->", () => `<meta name="sources" content="${sources.digest("hex")}">`)
  .replace("<!--style-->", () => `<style>${style}</style>`)
  .replace("<!--licences-->", () => `<script type="text/plain" id="licences">${licences.join("\n\n\n")}</script>`)
  .replace("<!--script-->", () => `<script>${script}</script>`);
writeFileSync("replay.html", page);
console.log(`replay.html: ${(page.length / 1024).toFixed(0)} KiB`);
