/** Whether an element is on the screen, or nearly: what nobody sees costs nothing. */
import { type Signal, useSignal } from "@preact/signals"
import type { RefObject } from "preact"
import { useEffect } from "preact/hooks"

export const useVisible = (ref: RefObject<Element | null>): Signal<boolean> => {
  const isVisible = useSignal(false)
  useEffect(() => {
    if (ref.current === null) return
    const observer = new IntersectionObserver((entries) => {
      isVisible.value = entries.at(-1)?.isIntersecting ?? false
    }, { rootMargin: "100px" })
    observer.observe(ref.current)
    return () => observer.disconnect()
  }, [ref, isVisible])
  return isVisible
}
