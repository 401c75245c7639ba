/**
 * The rows of a long table that are on the screen. All rows are equally high, so that a thousand of them are a height and
 * a few elements.
 */
import { useSignal } from "@preact/signals"
import type { RefObject } from "preact"
import { useEffect } from "preact/hooks"

export interface Rows {
  readonly from: number
  readonly to: number
}

/** Rows beyond the edges, so that a fast scroll does not show a gap. */
const spare = 8

export const useRows = (box: RefObject<HTMLElement | null>, count: number, rowHeight: number): Rows => {
  const top = useSignal(0)
  const height = useSignal(600)
  const frame = useSignal(0)
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const read = (): void => {
      frame.value = 0
      top.value = element.scrollTop
      height.value = element.clientHeight
    }
    const scrolled = (): void => {
      if (frame.value === 0) frame.value = requestAnimationFrame(read)
    }
    const observer = new ResizeObserver(read)
    observer.observe(element)
    element.addEventListener("scroll", scrolled, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener("scroll", scrolled)
      cancelAnimationFrame(frame.value)
    }
  }, [box, top, height, frame])
  const visible = Math.ceil(height.value / rowHeight) + 2 * spare
  const from = Math.max(0, Math.min(Math.floor(top.value / rowHeight) - spare, count - visible))
  return { from, to: Math.min(count, from + visible) }
}
