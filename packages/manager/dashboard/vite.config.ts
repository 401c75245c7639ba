/** Builds the page into `dist`: a fixed set of small files that work from any path and load nothing from elsewhere. */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vite"

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // The page may be mounted below any prefix.
  base: "./",
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
