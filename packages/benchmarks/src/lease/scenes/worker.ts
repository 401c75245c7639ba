/** One scene with one contender, in a process of its own. */
import { endWithParent } from "../../children.ts"
import * as cost from "./cost.ts"
import * as memory from "./memory.ts"
import * as rest from "./rest.ts"

export type Scene = cost.Cost | memory.Memory | rest.Rest

export type Reply =
  | { readonly _tag: "Done"; readonly outcome: object }
  | { readonly _tag: "Failed"; readonly problem: string }

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

const send = (reply: Reply): void => {
  process.send?.(reply)
}

// The module is imported for its types as well, where there is no run to answer.
if (process.send !== undefined && process.argv[2] === "scene") {
  endWithParent()
  process.on("message", (scene: Scene) => {
    play(scene).then(
      (outcome) => send({ _tag: "Done", outcome }),
      (error: unknown) => send({ _tag: "Failed", problem: String(error) })
    )
  })
}
