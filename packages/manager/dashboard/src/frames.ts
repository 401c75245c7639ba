/** Applies the stream's messages once an animation frame, however many they are. */
import { batch } from "@preact/signals"

const limit = 5000

export const perFrame = <A>(apply: (values: ReadonlyArray<A>) => void): (value: A) => void => {
  let waiting: Array<A> = []
  let scheduled = false
  const flush = (): void => {
    scheduled = false
    if (waiting.length === 0) return
    const values = waiting
    waiting = []
    batch(() => apply(values))
  }
  // A hidden page has no frames.
  document.addEventListener("visibilitychange", flush)
  return (value) => {
    waiting.push(value)
    if (waiting.length >= limit) return flush()
    if (scheduled) return
    scheduled = true
    if (document.hidden) setTimeout(flush, 500)
    else requestAnimationFrame(flush)
  }
}
