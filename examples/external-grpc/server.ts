/** A gRPC server in this process, on a free port. It knows the price of apples; plums it has to think about for ever. */
import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall, status } from "@grpc/grpc-js"
import { Effect } from "effect"
import { check, type Price, type Question, quote } from "./prices.ts"

/** What it has seen so far, and what it says of itself. */
export interface Log {
  quotes: number
  /** Quotes it thinks about, until their caller leaves or their deadline comes. */
  thinking: number
  /** Health checks. */
  checks: number
  isServing: boolean
}

const handlers = (log: Log) => ({
  quote: (call: ServerUnaryCall<Question, Price>, done: sendUnaryData<Price>) => {
    log.quotes++
    const { item } = call.request
    if (item === "apple") return done(null, { item, cents: 35 })
    if (item !== "plum") return done({ code: status.NOT_FOUND, details: `nobody sells ${item}` })
    log.thinking++
    call.on("cancelled", () => log.thinking--)
  },
  check: (_call: ServerUnaryCall<object, boolean>, done: sendUnaryData<boolean>) => {
    log.checks++
    done(null, log.isServing)
  }
})

export const make = Effect.acquireRelease(
  Effect.callback<{ readonly server: Server; readonly port: number; readonly log: Log }>((resume) => {
    const log: Log = { quotes: 0, thinking: 0, checks: 0, isServing: true }
    const server = new Server()
    server.addService({ quote, check }, handlers(log))
    server.bindAsync(
      "127.0.0.1:0",
      ServerCredentials.createInsecure(),
      (error, port) => resume(error === null ? Effect.succeed({ server, port, log }) : Effect.die(error))
    )
  }),
  ({ server }) => Effect.sync(() => server.forceShutdown())
).pipe(Effect.map(({ log, port }) => ({ host: "127.0.0.1", port, log })))
