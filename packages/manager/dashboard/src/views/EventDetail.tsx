/** All that one event tells. */
import type { VNode } from "preact"
import { wordsOf } from "../eventText.ts"
import { millis, time } from "../format.ts"
import type { Entry } from "../log.ts"

interface Props {
  readonly entry: Entry
  readonly close: () => void
}

export const EventDetail = ({ close, entry: { event, text } }: Props): VNode => (
  <div class="detail" role="region" aria-label="The chosen event">
    <div class="toolbar">
      <h3>{wordsOf(event._tag)}</h3>
      <span class="space" />
      <button type="button" onClick={close}>Close</button>
    </div>
    <p>{text.text}</p>
    <dl class="pairs">
      {Object.entries(event).filter(([name]) =>
        name !== "_tag"
      ).map(([name, value]) => (
        <div key={name}>
          <dt>{wordsOf(name)}</dt>
          <dd>{name === "at" ? time(event.at) : shown(name, value)}</dd>
        </div>
      ))}
    </dl>
  </div>
)

const durations: ReadonlySet<string> = new Set([
  "took",
  "retryIn",
  "waited",
  "held",
  "lived",
  "retryAfter",
  "forMillis"
])

const shown = (name: string, value: unknown): string => {
  if (value === null) return "–"
  if (typeof value === "number" && durations.has(name)) return millis(value)
  if (Array.isArray(value)) return value.map((each) => shown(name, each)).join("\n")
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}
