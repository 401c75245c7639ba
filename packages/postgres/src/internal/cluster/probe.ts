/**
 * Asks one server who it is and how far it has come, on a connection that it keeps for that.
 *
 * The pools' own connections would not do: they are busy when it matters.
 */
import * as PoolContext from "@effect-pools/core/PoolContext"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import { dial } from "../dial.ts"
import type { Session } from "../session.ts"
import type { ConnectionSettings } from "../settings.ts"
import type { Sample } from "./node.ts"
import * as Position from "./position.ts"

/** How a server is asked. The scope is that of the connection. */
export interface Source {
  /** Opens a connection; told when it ends. */
  readonly connect: (onEnd: () => void) => Effect.Effect<Asking, unknown, Scope.Scope>
}

type Asking = Effect.Effect<Omit<Sample, "at">, unknown>

/** A source that is a real server. */
export const server = (settings: ConnectionSettings): Source => ({
  connect: (onEnd) =>
    Effect.flatMap(
      dial({ ...settings, sharing: 1, role: "any" }, { changes: 0 }, { onBroken: onEnd, onEnded: onEnd }),
      (session) => ask(session, settings.pooler !== undefined)
    )
})

/** The facts that stay as they are as long as the connection lasts. */
const whoAreYou = `
SELECT (SELECT system_identifier FROM pg_control_system())::text,
  extract(epoch FROM pg_postmaster_start_time())::text,
  pg_size_bytes(current_setting('wal_segment_size'))::text`

/** Asked up to some hundred times a second, so that a standby alone looks for its timeline, which takes the server longest. */
const howFar = `
SELECT pg_is_in_recovery(),
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text,
  CASE WHEN pg_is_in_recovery() THEN greatest(
    (SELECT timeline_id FROM pg_control_checkpoint()),
    (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
    (SELECT received_tli FROM pg_stat_wal_receiver)
  )::text ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END`

interface Identity {
  readonly systemId: string
  readonly startedAt: string
  readonly segmentSize: number
}

const identify = ({ own }: Session): Effect.Effect<Identity, unknown> =>
  Effect.map(own.queryValues(whoAreYou, [], false), ([row = []]) => ({
    systemId: String(row[0]),
    startedAt: String(row[1]),
    segmentSize: Number(row[2])
  }))

/** A pooler in between may go on to another server on the same connection. */
const ask = (session: Session, isPooled: boolean): Effect.Effect<Asking, unknown> =>
  isPooled
    ? Effect.succeed(Effect.flatMap(identify(session), (identity) => locate(session, identity)))
    : Effect.map(identify(session), (identity) => locate(session, identity))

const locate = ({ own }: Session, { segmentSize, startedAt, systemId }: Identity): Asking =>
  Effect.map(own.queryValues(howFar, [], true), ([row = []]) => {
    const [recovers, lsn, timeline] = row
    const isStandby = recovers === true
    const place = Position.lsnOf(String(lsn))
    return {
      isStandby,
      lsn: isStandby ? place : Position.endOf(place, segmentSize),
      // The primary tells it as a part of a file's name.
      timeline: Number.parseInt(String(timeline), isStandby ? 10 : 16),
      systemId,
      startedAt
    }
  })

/** Between the beginnings of two probes, in milliseconds. */
const rest = 2

export interface Terms {
  readonly now: () => number
  /** How long until the next probe, in milliseconds, if nobody asks. */
  readonly interval: () => number
  /** How long a probe waits for its connection, then for the answer; and how long a dial may take. In milliseconds. */
  readonly timeout: number
  readonly dialTimeout: number
  /** Whether the connection keeps no process alive, by the option `unref`. */
  readonly isUnref: boolean
  readonly onAnswer: (exit: Exit.Exit<Sample, unknown>) => void
}

export class Prober {
  private readonly source: Source
  private readonly terms: Terms
  private readonly asked = Latch.makeUnsafe(false)
  /** When the last probe began. */
  private last = -Infinity
  /** Done with the probe that has not begun yet. */
  private upcoming = Deferred.makeUnsafe<void>()
  private dialing: Fiber.Fiber<void, unknown> | undefined = undefined
  private open: { readonly asking: Asking; readonly scope: Scope.Closeable } | undefined = undefined

  constructor(source: Source, terms: Terms) {
    this.source = source
    this.terms = terms
  }

  /** Has the server asked soon. */
  readonly nudge = (): void => {
    this.asked.openUnsafe()
  }

  /** Waits for a probe that begins after this. Several that wait share it. */
  readonly fresh: Effect.Effect<void> = Effect.suspend(() => {
    this.nudge()
    return Deferred.await(this.upcoming)
  })

  readonly run: Effect.Effect<void> = Effect.suspend(() => {
    const rounds = Effect.forever(
      Effect.andThen(
        Effect.suspend(() => this.once),
        Effect.suspend(() => Effect.timeoutOption(this.asked.await, this.terms.interval()))
      ).pipe(Effect.andThen(this.rest))
    )
    return this.terms.isUnref ? Effect.updateContext(rounds, PoolContext.unrefed<never>) : rounds
  })

  /** One probe. Never fails. */
  readonly once: Effect.Effect<void> = Effect.suspend(() => {
    this.asked.closeUnsafe()
    const done = this.upcoming
    this.upcoming = Deferred.makeUnsafe<void>()
    const at = this.last = this.terms.now()
    return Effect.exit(this.answer).pipe(
      Effect.flatMap((exit) => {
        this.terms.onAnswer(Exit.map(exit, (answer) => ({ ...answer, at })))
        return Exit.isSuccess(exit) ? Effect.void : this.close
      }),
      Effect.ensuring(Deferred.succeed(done, undefined))
    )
  })

  /** Two limits: with one for both, a dial that takes nearly all of it would be followed by another one for ever. */
  private readonly answer: Effect.Effect<Omit<Sample, "at">, unknown> = Effect.suspend(() => {
    const { timeout } = this.terms
    return Effect.flatMap(Effect.timeout(this.connection, timeout), (asking) => Effect.timeout(asking, timeout))
  })

  /** Those who ask in quick succession share a probe. */
  private readonly rest: Effect.Effect<void> = Effect.suspend(() => {
    const left = this.last + rest - this.terms.now()
    return left > 0 ? Effect.sleep(left) : Effect.void
  })

  private get connect(): Effect.Effect<Asking, unknown, Scope.Scope> {
    const connect = this.source.connect(this.nudge)
    return this.terms.isUnref ? Effect.updateContext(connect, PoolContext.unrefed<Scope.Scope>) : connect
  }

  private readonly connection: Effect.Effect<Asking, unknown> = Effect.suspend(() =>
    this.open !== undefined
      ? Effect.succeed(this.open.asking)
      : Effect.flatMap(this.dialed, () => this.connection)
  )

  /** A dial goes on when the probe that began it has failed, or a server that is slow just now would never be reached. */
  private readonly dialed: Effect.Effect<void, unknown> = Effect.suspend(() => {
    if (this.dialing !== undefined) return Fiber.join(this.dialing)
    return Effect.flatMap(Effect.forkDetach(this.dial, { startImmediately: true }), (fiber) => {
      this.dialing = fiber
      fiber.addObserver((exit) => {
        this.dialing = undefined
        // Whoever began it may be gone.
        if (Exit.isSuccess(exit)) this.nudge()
      })
      return Fiber.join(fiber)
    })
  })

  private readonly dial: Effect.Effect<void, unknown> = Effect.suspend(() =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        Scope.make(),
        (scope) =>
          restore(Effect.timeout(Scope.provide(this.connect, scope), this.terms.dialTimeout)).pipe(
            Effect.map((asking) => void (this.open = { asking, scope })),
            Effect.onExit((exit) => Exit.isSuccess(exit) ? Effect.void : Effect.forkDetach(Scope.close(scope, exit)))
          )
      )
    )
  )

  /** Closes the connection, and gives up one that is being made. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    const { dialing } = this
    return Effect.andThen(dialing === undefined ? Effect.void : Fiber.interrupt(dialing), this.close)
  })

  /** Beside whoever waits: a server that hangs does not say goodbye. */
  private readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const { open } = this
    this.open = undefined
    return open === undefined ? Effect.void : Effect.asVoid(Effect.forkDetach(Scope.close(open.scope, Exit.void)))
  })
}
