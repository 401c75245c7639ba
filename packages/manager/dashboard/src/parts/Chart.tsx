/** Lines over the last minutes. The chart itself exists only while it is on the screen. */
import { type Signal, useSignal, useSignalEffect } from "@preact/signals"
import type { RefObject, VNode } from "preact"
import { useEffect, useRef } from "preact/hooks"
import type { Happening } from "../happenings.ts"
import { range } from "../range.ts"
import type { Series } from "../series.ts"
import { drawn } from "../store.ts"
import { isDark } from "../theme.ts"
import { Plot } from "./plot.ts"
import { useVisible } from "./useVisible.ts"

type ColumnName = Exclude<keyof Series, "at" | "span" | "replace" | "push" | "happenings">

export interface Line {
  readonly column: ColumnName
  readonly label: string
  /** The name of its colour, see `colours.css`. */
  readonly colour: string
  readonly look: "area" | "line" | "dashed" | "dotted"
}

export interface ChartProps {
  readonly title: string
  readonly series: Series
  readonly lines: ReadonlyArray<Line>
  readonly format: (value: number) => string
  /** px */
  readonly height: number
  /** Whether its values are counts, of which there are no halves. */
  readonly isWhole?: boolean
  /** The marks on it; by default the happenings of the pool of the series. */
  readonly happenings?: () => ReadonlyArray<Happening>
  /** Whether values stand beside the names only while one points at the chart, since they are told elsewhere. */
  readonly isQuiet?: boolean
}

/** ms; faster samples are drawn together. */
const redraw = 250

export const Chart = (props: ChartProps): VNode => {
  const box = useRef<HTMLDivElement>(null)
  const cursor = usePlot(box, props)
  const { format, height, isQuiet = false, lines, series, title } = props
  // Read, so that the values beside the names follow.
  void drawn.value
  const index = cursor.value ?? series.at.length - 1
  const valueOf = ({ column }: Line): string => {
    const value = series[column][index] ?? null
    return value === null ? "–" : format(value)
  }
  const told = lines.map((line) => `${line.label} ${valueOf(line)}`).join(", ")
  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}</span>
        {lines.map((line) => (
          <span class="key" key={line.label}>
            <i class={`swatch ${line.look} ${line.colour}`} />
            {line.label} {(!isQuiet || cursor.value !== null) && <b>{valueOf(line)}</b>}
          </span>
        ))}
      </figcaption>
      <div
        class="plot"
        ref={box}
        role="img"
        aria-label={`${title} over time. Last: ${told}`}
        style={{ height: `${height}px` }}
      />
    </figure>
  )
}

/** Draws while the box is on the screen, and gives the index of the sample that one points at. */
const usePlot = (box: RefObject<HTMLDivElement | null>, props: ChartProps): Signal<number | null> => {
  const plot = useRef<Plot>(undefined)
  const isVisible = useVisible(box)
  const cursor = useSignal<number | null>(null)
  useEffect(() => {
    const element = box.current
    if (!isVisible.value || element === null) return
    const made = new Plot(element, props, (index) => {
      cursor.value = index
    })
    plot.current = made
    return () => {
      made.destroy()
      plot.current = undefined
    }
  }, [isVisible.value, isDark.value, props.series, props.height])
  useSignalEffect(() => {
    void drawn.value
    void range.value
    plot.current?.draw(redraw)
  })
  return cursor
}
