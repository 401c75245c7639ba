// oxlint-disable unicorn/require-post-message-target-origin -- the port of a thread, not a window
/** What runs in each thread: it reads the words once, and then answers one search after the other. */
import { readFileSync } from "node:fs"
import { parentPort, workerData } from "node:worker_threads"

const words = readFileSync(workerData, "utf8").split("\n")

parentPort!.on("message", (pattern: RegExp) => parentPort!.postMessage(words.filter((word) => pattern.test(word))))

parentPort!.postMessage([])
