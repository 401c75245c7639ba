/** One scene with one contender, in a process of its own. */
import { playWhenAsked } from "../../scenes.ts"
import * as cost from "./cost.ts"
import * as memory from "./memory.ts"
import * as rest from "./rest.ts"

export type Scene = cost.Cost | memory.Memory | rest.Rest

playWhenAsked<Scene>({ cost: cost.run, memory: memory.run, rest: rest.run })
