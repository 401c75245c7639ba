/** One scene with one contender, in a process of its own. */
import { playWhenAsked } from "../../scenes.ts"
import * as crowd from "./crowd.ts"
import * as exodus from "./exodus.ts"
import * as fairness from "./fairness.ts"
import * as overload from "./overload.ts"
import * as postgres from "./postgres.ts"

export type Scene = overload.Overload | fairness.Fairness | crowd.Crowd | exodus.Exodus | postgres.Postgres

playWhenAsked<Scene>({
  overload: overload.run,
  fairness: fairness.run,
  crowd: crowd.run,
  exodus: exodus.run,
  postgres: postgres.run
})
