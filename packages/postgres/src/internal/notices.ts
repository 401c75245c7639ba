/**
 * Notices: messages of the server beside its answers (`RAISE NOTICE`, warnings), for whoever listens.
 */
import * as ServerText from "@effect-pools/core/ServerText"
import type { ErrorFields } from "@effect/sql-pg/PgProtocol"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

/**
 * One notice of the server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Notice {
  /** `NOTICE`, `WARNING`, `INFO`, `LOG` or `DEBUG`, in English. */
  readonly severity: string
  /** Its SQLSTATE, such as `00000` and `01000`. */
  readonly code: string
  readonly message: string
  readonly detail: string | undefined
  readonly hint: string | undefined
}

/** A reader that is too slow loses the oldest. */
const most = 1_000

export class Notices {
  private readonly readers = new Set<Queue.Queue<Notice>>()

  /** Costs nothing as long as nobody listens. */
  publish(fields: ErrorFields): void {
    if (this.readers.size === 0) return
    const notice: Notice = {
      severity: fields.severityUnlocalized ?? fields.severity ?? "NOTICE",
      code: fields.code ?? "00000",
      message: ServerText.clean(fields.message ?? ""),
      detail: textOf(fields.detail),
      hint: textOf(fields.hint)
    }
    for (const reader of this.readers) Queue.offerUnsafe(reader, notice)
  }

  readonly stream: Stream.Stream<Notice> = Stream.unwrap(Effect.map(
    Effect.acquireRelease(
      Effect.tap(Queue.sliding<Notice>(most), (reader) => Effect.sync(() => this.readers.add(reader))),
      (reader) => Effect.andThen(Effect.sync(() => this.readers.delete(reader)), Queue.shutdown(reader))
    ),
    (reader) => Stream.fromQueue(reader)
  ))
}

const textOf = (text: string | undefined): string | undefined => text === undefined ? undefined : ServerText.clean(text)
