/** The two ways to use a client: from async functions and from Effect. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { driveBare, driveEffectWith } from "../drive.ts"
import type { Client } from "./workload.ts"

export const bareClient = <A>(one: (i: number) => Promise<A>, close: () => Promise<unknown>): Client<A> => ({
  one,
  run: (callers, total, weigh) => driveBare(callers, total, one, weigh),
  async close() {
    await close()
  }
})

/** As a program has it: the layer is built once, and the callers ask its services. */
export const effectClient = async <A, E, R, LE>(
  layer: Layer.Layer<R, LE>,
  one: (i: number) => Effect.Effect<A, E, R>
): Promise<Client<A>> => {
  const scope = Scope.makeUnsafe()
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  return {
    one: (i) => Effect.runPromiseWith(context)(one(i)),
    run: (callers, total, weigh) => driveEffectWith(context, callers, total, one, weigh),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
