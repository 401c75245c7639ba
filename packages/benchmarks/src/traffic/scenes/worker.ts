/** One scene with one contender, in a process of its own. */
import { playWhenAsked } from "../../scenes.ts"
import * as crowd from "./crowd.ts"
import * as exodus from "./exodus.ts"
import * as fairness from "./fairness.ts"
import * as overload from "./overload.ts"
import * as postgres from "./postgres.ts"

export type Scene = overload.Overload | fairness.Fairness | crowd.Crowd | exodus.Exodus | postgres.Postgres

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

playWhenAsked(play)
