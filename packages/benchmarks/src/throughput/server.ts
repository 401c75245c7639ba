/** A server in a process of its own: it says where it is, and then how many connections it has whenever it is asked. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { endWithParent } from "../children.ts"
import type { Started } from "./started.ts"

export type Answer =
  | { readonly _tag: "Listening"; readonly url: string }
  | { readonly _tag: "Connections"; readonly count: number }
  | { readonly _tag: "Failed"; readonly problem: string }

const servers = {
  redis: async (): Promise<Started> => (await import("./redis/server.ts")).start,
  redisTls: async (): Promise<Started> => (await import("./redis/server.ts")).startWithTls,
  http: async (): Promise<Started> => (await import("./http/server.ts")).start,
  https: async (): Promise<Started> => (await import("./http/server.ts")).startWithTls,
  http2: async (): Promise<Started> => (await import("./http/server.ts")).startHttp2,
  websocket: async (): Promise<Started> => (await import("./websocket/server.ts")).start,
  postgres: async (): Promise<Started> => (await import("./postgres/server.ts")).start
}

export type ServerKind = keyof typeof servers

const answer = (answer: Promise<Answer>): void => {
  const failed = (error: unknown): Answer => ({ _tag: "Failed", problem: String(error) })
  void answer.catch(failed).then((answer) => process.send?.(answer))
}

const serve = async (kind: ServerKind): Promise<Answer> => {
  const scope = Scope.makeUnsafe()
  endWithParent(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const start = await servers[kind]()
  const { connections, url } = await Effect.runPromise(Scope.provide(start, scope))
  const count = async (): Promise<Answer> => ({ _tag: "Connections", count: await Effect.runPromise(connections) })
  process.on("message", () => answer(count()))
  return { _tag: "Listening", url }
}

answer(serve(process.argv[2] as ServerKind)) // by `servers.ts`
