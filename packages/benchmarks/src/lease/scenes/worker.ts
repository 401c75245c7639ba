/** One scene with one contender, in a process of its own. */
import { playWhenAsked } from "../../scenes.ts"
import * as cost from "./cost.ts"
import * as memory from "./memory.ts"
import * as rest from "./rest.ts"

export type Scene = cost.Cost | memory.Memory | rest.Rest

const play = (scene: Scene): Promise<object> => {
  switch (scene._tag) {
    case "cost":
      return cost.run(scene)
    case "memory":
      return memory.run(scene)
    case "rest":
      return rest.run(scene)
  }
}

playWhenAsked(play)
