/** The pool of threads, and the search that they do. */
import { type PoolConfig, ResourcePool } from "@effect-pools/core"
import { Data, type Duration, Effect, type Scope } from "effect"
import { RateLimiter } from "effect/persistence"
import { Worker } from "node:worker_threads"

export class SearchError extends Data.TaggedError("SearchError")<{ readonly message: string }> {}

const ended = new SearchError({ message: "the thread has ended" })

export class Searcher {
  private readonly worker: Worker
  private isGone = false
  private isBusy = false

  private constructor(words: string) {
    this.worker = new Worker(new URL("thread.ts", import.meta.url), { workerData: words, execArgv: [] })
    const gone = () => {
      this.isGone = true
    }
    this.worker.on("error", gone).on("exit", gone)
  }

  static readonly open: (words: string) => Effect.Effect<Searcher, SearchError, Scope.Scope> = Effect.fnUntraced(
    function*(words) {
      const searcher = yield* Effect.acquireRelease(
        Effect.sync(() => new Searcher(words)),
        ({ worker }) => Effect.promise(() => worker.terminate())
      )
      // The thread says so when it has read the words.
      yield* searcher.answer(() => {})
      return searcher
    }
  )

  search(pattern: RegExp): Effect.Effect<ReadonlyArray<string>, SearchError> {
    if (this.isGone) return Effect.fail(ended)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    return this.answer(() => this.worker.postMessage(pattern))
  }

  /** It has ended, or is still at a search that nobody waits for any more and that may never end. */
  get isBroken(): boolean {
    return this.isGone || this.isBusy
  }

  private answer(ask: () => void): Effect.Effect<ReadonlyArray<string>, SearchError> {
    return Effect.callback((resume) => {
      const answered = (words: ReadonlyArray<string>) => finish(Effect.succeed(words))
      const failed = ({ message }: Error) => finish(Effect.fail(new SearchError({ message })))
      const exited = () => finish(Effect.fail(ended))
      const stop = () => this.worker.off("message", answered).off("error", failed).off("exit", exited)
      const finish = (result: Effect.Effect<ReadonlyArray<string>, SearchError>) => {
        stop()
        this.isBusy = false
        resume(result)
      }
      this.worker.on("message", answered).on("error", failed).on("exit", exited)
      this.isBusy = true
      ask()
      return Effect.sync(stop)
    })
  }
}

export class Searchers extends ResourcePool.Service<Searchers, Searcher>()("app/Searchers") {
  static readonly over = (words: string, pool: PoolConfig.PoolOptions = {}) =>
    this.layer({
      ...pool,
      acquire: Searcher.open(words),
      validate: (searcher) => searcher.isBroken ? Effect.fail(ended) : Effect.void,
      // It remembers nothing of a search.
      reset: () => undefined,
      isBroken: (searcher) => searcher.isBroken
    })
}

/** Each user may search so often, whatever the others do. */
export const rate = { limit: 5, window: "1 second", onExceeded: "fail" } as const

/** A pattern is the user's, and may be one that never comes to an end: so the search runs elsewhere, and not for long. */
export const search = Effect.fnUntraced(function*(user: string, pattern: RegExp, within: Duration.Input = "1 second") {
  const limiter = yield* RateLimiter.RateLimiter
  yield* limiter.consume({ ...rate, key: `search:${user}` })
  const label = `search for ${user}`
  return yield* Effect.timeout(Searchers.withConnection((searcher) => searcher.search(pattern), { label }), within)
})
