/**
 * How requests reach a connection: through the whole pool, or through one lease.
 */
import { type PoolError, PoolMisuse, usedAfterLease } from "@effect-pools/core/PoolError"
import type { Keeper } from "@effect-pools/core/PoolService"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import { type HttpClientRequest, setUrl } from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Tracer from "effect/Tracer"
import type { HttpConnection } from "./connectionModel.ts"
import { Exchange } from "./exchange.ts"
import { CallerInterrupted, ReaderInterrupted } from "./faults.ts"
import { type Failure, fault, type Job, mayRepeat, outcome, send, transportError } from "./job.ts"
import { leaseOf, type LentConnection } from "./lent.ts"
import * as HiddenQuery from "./hiddenQuery.ts"
import { Prepare } from "./prepare.ts"

/** Sends a request, which may fail with the pool's own error too. */
export type Execute = (request: HttpClientRequest) => Effect.Effect<HttpClientResponse, Failure | PoolError>

/** Sends a job and waits for the head of its response. Called anew for each run of a request. */
export type Send<E> = (job: Job) => Effect.Effect<HttpClientResponse, E>

/** Lends a connection for one request, until its exchange is over. */
export type Borrow = (f: (lent: HttpConnection) => Effect.Effect<void, unknown>) => Effect.Effect<void, unknown>

/** Gives each request a connection until its response is read. */
export const overPool = (prepare: Prepare, send: Send<Failure | PoolError>): Execute => {
  const traced = tracing(prepare, send)
  return (request) =>
    Effect.withFiber((fiber) => {
      if (isTraced(fiber)) return discreet(prepare, traced.execute(request))
      const target = prepare.target(request)
      if (Result.isFailure(target)) return Effect.fail(target.failure)
      return prepare.job(request, target.success, undefined, fiber, send)
    })
}

/** A client that does the same for programs that know nothing of pools: the pool's error is the cause of theirs. */
export const plainOverPool = (prepare: Prepare, send: Send<Failure | PoolError>): HttpClient.HttpClient =>
  lazilyTraced(
    prepare,
    tracing(prepare, (job) =>
      Effect.mapError(
        send(job),
        (error) => error._tag === "PoolError" ? transportError(job.request, error) : error
      ))
  )

/** A client bound to one lease. */
export const overLease = (prepare: Prepare, pool: string) => (lease: LentConnection): HttpClient.HttpClient =>
  lazilyTraced(
    prepare,
    tracing(prepare, (job) =>
      Effect.suspend(() =>
        lease.isActive
          ? direct(lease, job)
          : Effect.die(new PoolMisuse({ pool, rule: usedAfterLease }))
      ))
  )

/**
 * A client of Effect's own make, with its spans, scopes and signals.
 *
 * Relative URLs are made absolute last, when all that a program has put over the client is done with the request:
 * `mapRequest(prependUrl(...))` and `HttpApiClient.make({ baseUrl })` put their part before the URL they are given.
 */
const tracing = <E extends Failure | PoolError>(
  prepare: Prepare,
  send: Send<E>
): HttpClient.HttpClient.With<E | Failure> => {
  const client = HttpClient.make((request, url, signal, fiber) => {
    const target = prepare.locate(request, HiddenQuery.restored(fiber.getRef(HiddenQuery.Current), url))
    if (Result.isFailure(target)) return Effect.fail(target.failure)
    // The type of `make` has no place for errors of others; nothing in it depends on which errors there are.
    return prepare.job(request, target.success, signal, fiber, send as unknown as Send<Failure>)
  })
  const absolute = Effect.flatMap((request: HttpClientRequest) =>
    Result.match(prepare.absolute(request), {
      onFailure: (failure) => Effect.fail(failure),
      onSuccess: ({ url }) => {
        // The fragment is no part of what is sent.
        const [sent = url] = url.split("#", 1)
        const hidden = prepare.showQuery ? undefined : HiddenQuery.find(sent)
        const shown = hidden === undefined ? sent : hidden.shown
        // Set for each request, so that one that is made for the body of another has its own.
        return Effect.provideService(
          client.postprocess(Effect.succeed(inPlace(request, shown))),
          HiddenQuery.Current,
          hidden
        )
      }
    })
  )
  const made = HttpClient.makeWith(absolute, (request: HttpClientRequest) => Effect.succeed(ownOf(request)))
  return made as unknown as HttpClient.HttpClient.With<E | Failure>
}

/** A request with a relative URL as an object of our own. */
const ownOf = (request: HttpClientRequest): HttpClientRequest =>
  Prepare.isAbsolute(request.url) ? request : setUrl(request, request.url)

/**
 * The same object with another URL. Effect knows the scope of a request by the object (`HttpClient.withScope`), so that a
 * copy would outlive it. It is ours, or new: whatever maps requests makes them anew. To be dropped when a client of
 * Effect can be told its base URL.
 */
const inPlace = (request: HttpClientRequest, url: string): HttpClientRequest =>
  request.url === url && Option.isNone(request.hash) ? request : Object.assign(request, { url, hash: Option.none() })

/**
 * A span is made where somebody sees it: in a trace, or with a tracer of one's own. Nobody sees a span that has no parent
 * and goes to the default tracer, and making it costs as much as the rest of a request.
 */
const isTraced = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  fiber.cache.span !== undefined || fiber.getRef(Tracer.Tracer) !== Tracer.nativeTracer

const lazilyTraced = (prepare: Prepare, client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transformResponse(
    client,
    (effect) =>
      Effect.withFiber((fiber) =>
        isTraced(fiber)
          ? discreet(prepare, effect)
          : Effect.provideService(effect, HttpClient.TracerDisabledWhen, () => true)
      )
  )

/** Keeps the values of a query out of the span. */
const discreet = <A, E>(prepare: Prepare, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  prepare.showQuery ? effect : Effect.provideService(effect, UrlParams.CurrentRedactedNames, anyName)

const anyName = [/^/]

/** The lease outlives the caller's effect, which is over when the head has come: it is kept until the body is read or given up. */
export const keeping = (keeper: Keeper<HttpConnection>): Send<Failure | PoolError> => {
  const attempt = (job: Job, isFirst: boolean): Effect.Effect<HttpClientResponse, Failure | PoolError> =>
    keeper.withShared((lent, lease) =>
      Effect.callback<HttpClientResponse, Failure | PoolError>((resume) => {
        const exchange = new Exchange()
        exchange.onHead = () =>
          resume(isFirst && mayRepeat(job, exchange) ? attempt(job, false) : outcome(job, exchange))
        send(leaseOf(lent).connection, job, exchange, () => lease.end(verdict(exchange)))
        lease.keep()
        return interrupting(exchange)
      })
    )
  return (job) => attempt(job, true)
}

/** The same for a pool that lends for as long as an effect runs: a fiber of its own holds the lease. */
export const holding = (borrow: Borrow): Send<Failure | PoolError> => {
  const attempt = (job: Job, isFirst: boolean): Effect.Effect<HttpClientResponse, Failure | PoolError> =>
    Effect.withFiber((fiber) =>
      Effect.callback((resume) => {
        const exchange = new Exchange()
        exchange.onHead = () =>
          resume(isFirst && mayRepeat(job, exchange) ? attempt(job, false) : outcome(job, exchange))
        const holder = Effect.runForkWith(fiber.context)(borrow((lent) => held(leaseOf(lent), job, exchange)))
        holder.addObserver((exit) => {
          // Without a connection there was nobody to tell the exchange.
          if (Exit.isFailure(exit) && exchange.onHead !== undefined && !exchange.wasHanded) {
            resume(Effect.failCause(exit.cause as Cause.Cause<PoolError>))
          }
        })
        return Effect.suspend(() => {
          exchange.onHead = undefined
          return Fiber.interrupt(holder)
        })
      })
    )
  return (job) => attempt(job, true)
}

/** Holds a lease until an exchange is over. */
const held = (lease: LentConnection, job: Job, exchange: Exchange): Effect.Effect<void, unknown> =>
  Effect.callback((resume) => {
    exchange.wasHanded = true
    send(lease.connection, job, exchange, () => resume(verdict(exchange)))
    return interrupting(exchange)
  })

/** The exit that a lease is judged by. */
const verdict = (exchange: Exchange): Exit.Exit<void, unknown> => {
  const found = fault(exchange)
  if (found === undefined) return Exit.void
  return found instanceof ReaderInterrupted || found instanceof CallerInterrupted
    ? Exit.interrupt()
    : Exit.fail(found)
}

const interrupting = (exchange: Exchange): Effect.Effect<void> =>
  Effect.sync(() => {
    exchange.onHead = undefined
    exchange.abort(new CallerInterrupted("the request was interrupted"), true)
  })

const direct = (lease: LentConnection, job: Job): Effect.Effect<HttpClientResponse, Failure> =>
  Effect.callback((resume) => {
    const exchange = new Exchange()
    exchange.lease = lease
    exchange.onHead = () => resume(outcome(job, exchange))
    const exchanges = lease.exchanges ??= new Set()
    exchanges.add(exchange)
    send(lease.connection, job, exchange, () => exchanges.delete(exchange))
    return interrupting(exchange)
  })
