/** One scene with one contender, in a process of its own. */
import { endWithParent } from "../../children.ts"
import * as crowd from "./crowd.ts"
import * as exodus from "./exodus.ts"
import * as fairness from "./fairness.ts"
import * as overload from "./overload.ts"
import * as postgres from "./postgres.ts"

export type Scene = overload.Overload | fairness.Fairness | crowd.Crowd | exodus.Exodus | postgres.Postgres

export type Reply =
  | { readonly _tag: "Done"; readonly outcome: object }
  | { readonly _tag: "Failed"; readonly problem: string }

const play = (scene: Scene): Promise<object> => {
  switch (scene._tag) {
    case "overload":
      return overload.run(scene)
    case "fairness":
      return fairness.run(scene)
    case "crowd":
      return crowd.run(scene)
    case "exodus":
      return exodus.run(scene)
    case "postgres":
      return postgres.run(scene)
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
