/** Long scenes with a primary and its replicas: `npm run cluster -- pairs 1000000 [minutes] | idle 60 | faults 60 | heavy`. */
import { NodeRuntime } from "@effect/platform-node"
import type { Effect } from "effect"
import { faults } from "./faults.ts"
import { heavy } from "./heavy.ts"
import { idle } from "./idle.ts"
import { pairs } from "./pairs.ts"

const [, , scene = "", size, minutes] = process.argv

const scenes: Record<string, () => Effect.Effect<unknown, unknown>> = {
  pairs: () => pairs(Number(size ?? 1_000_000), Number(minutes ?? 60)),
  idle: () => idle(Number(size ?? 60)),
  faults: () => faults(Number(size ?? 60)),
  heavy: () => heavy
}

const chosen = scenes[scene]
if (chosen === undefined) throw new Error(`say one of ${Object.keys(scenes).join(", ")}`)

NodeRuntime.runMain(chosen())
