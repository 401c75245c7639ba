/**
 * Several processes on one PostgreSQL that lets few connect, and one Redis by which they share them: one is loaded, two are
 * killed, all are restarted one after another, and Redis goes away for a while.
 *
 *     npx node --conditions=@effect-pools/source fleet/main.ts --processes 20 --total 100 --away 30
 *
 * With `--page` it shows the fleet on a page until Ctrl-C instead.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { parseArgs } from "node:util"
import { page } from "./page.ts"
import { scene } from "./scene.ts"

const { values } = parseArgs({
  options: {
    processes: { type: "string", default: "4" },
    total: { type: "string", default: "16" },
    away: { type: "string", default: "10" },
    page: { type: "boolean", default: false }
  }
})

const settings = { processes: Number(values.processes), total: Number(values.total), say: Console.log }

const program = Effect.gen(function*() {
  const { failures, most, served } = yield* scene({ ...settings, away: Number(values.away) })
  yield* Console.log(`leases: ${served} served, ${Object.values(failures).reduce((sum, each) => sum + each, 0)} failed`)
  for (const [message, count] of Object.entries(failures)) yield* Console.log(`${count} x ${message}`)
  yield* Console.log(`connections: ${most} at most, of ${settings.total}`)
})

Effect.scoped(values.page ? page(settings) : program).pipe(NodeRuntime.runMain)
