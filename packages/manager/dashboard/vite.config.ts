/** Builds the page into `dist`: a fixed set of small files that work from any path and load nothing from elsewhere. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { extname, join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import { defineConfig, type Plugin } from "vite"

const out = fileURLToPath(new URL("./dist", import.meta.url))

const texts = new Set([".html", ".js", ".css", ".svg", ".json", ".webmanifest"])

/** Writes all files once more as one module: a program that is bundled has no folder to read them from. */
const embedded: Plugin = {
  name: "embedded",
  closeBundle() {
    const files: { readonly text: Record<string, string>; readonly base64: Record<string, string> } = {
      text: {},
      base64: {}
    }
    for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name)
      if (!entry.isFile() || extname(file) === ".mjs") continue
      const path = relative(out, file).split(sep).join("/")
      if (texts.has(extname(file))) files.text[path] = readFileSync(file, "utf8")
      else files.base64[path] = readFileSync(file, "base64")
    }
    writeFileSync(join(out, "embedded.mjs"), `export default ${JSON.stringify(files)}\n`)
  }
}

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // The page may be mounted below any prefix.
  base: "./",
  plugins: [embedded],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    // `light-dark()` stays as it is written.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // The policy of the page allows neither inline scripts nor data in styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false }
  }
})
