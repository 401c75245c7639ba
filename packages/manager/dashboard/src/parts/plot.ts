/** One uPlot: its options, colours and size. */
import uPlot from "uplot"
import type { Happening } from "../happenings.ts"
import { range } from "../range.ts"
import type { Series } from "../series.ts"
import type { ChartProps, Line } from "./Chart.tsx"

const dashes: Readonly<Record<Line["look"], Array<number>>> = { area: [], line: [], dashed: [5, 3], dotted: [2, 3] }

export class Plot {
  readonly #plot: uPlot
  readonly #props: ChartProps
  readonly #observer: ResizeObserver
  #drawnAt = performance.now()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(element: HTMLElement, props: ChartProps, onCursor: (index: number | null) => void) {
    this.#props = props
    this.#plot = new uPlot(optionsOf(element, props, onCursor), dataOf(props), element)
    this.#observer = new ResizeObserver(() => {
      const width = element.clientWidth
      if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: props.height })
    })
    this.#observer.observe(element)
  }

  /** Not more often than each `interval` ms. */
  draw(interval: number): void {
    if (this.#timer !== undefined) return
    const wait = this.#drawnAt + interval - performance.now()
    if (wait <= 0) this.#drawNow()
    else {
      this.#timer = setTimeout(() => this.#drawNow(), wait)
    }
  }

  #drawNow(): void {
    this.#timer = undefined
    this.#drawnAt = performance.now()
    this.#plot.setData(dataOf(this.#props))
  }

  destroy(): void {
    clearTimeout(this.#timer)
    this.#observer.disconnect()
    this.#plot.destroy()
  }
}

const dataOf = ({ lines, series }: ChartProps): uPlot.AlignedData => [
  series.at,
  ...lines.map(({ column }) => series[column])
]

const optionsOf = (
  element: HTMLElement,
  { format, happenings = () => series.happenings.all, height, isWhole, lines, series }: ChartProps,
  onCursor: (index: number | null) => void
): uPlot.Options => {
  const styles = getComputedStyle(element)
  const colour = (name: string): string => styles.getPropertyValue(`--${name}`)
  const font = `11px ${styles.fontFamily}`
  const axis = { font, stroke: colour("muted"), ticks: { show: false }, gap: 4 }
  return {
    width: Math.max(element.clientWidth, 50),
    height,
    padding: [6, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: () => windowOf(series) },
      y: { range: (_, __, max) => [0, top(max)] }
    },
    axes: [
      {
        ...axis,
        size: 18,
        space: 56,
        incrs: minutes,
        grid: { show: false },
        values: (_, splits) => timesOf(splits, series)
      },
      {
        ...axis,
        size: 44,
        space: 24,
        ...(isWhole === true ? { incrs: wholeSteps } : {}),
        grid: { stroke: colour("line"), width: 1 },
        values: (_, splits) => splits.map((value) => format(value))
      }
    ],
    series: [{}, ...lines.map((line) => seriesOf(line, colour))],
    hooks: {
      setCursor: [({ cursor }) => onCursor(cursor.idx ?? null)],
      draw: [(plot) => mark(plot, happenings())]
    }
  }
}

/** So many at most: on a chart of some hundred pixels more would hide it. */
const mostMarks = 40

/** Bands and lines over the chart, as elements: they have a text for who points at them or listens. */
const mark = (plot: uPlot, all: ReadonlyArray<Happening>): void => {
  const { max = 0, min = 0 } = plot.scales["x"] ?? {}
  const [from, to] = [min ?? 0, max ?? 0]
  const shown = all.filter((each) => (each.to ?? to) >= from && each.from <= to).slice(-mostMarks)
  const marks = shown.map((each) => {
    const left = plot.valToPos(Math.max(each.from, from), "x")
    const right = plot.valToPos(Math.min(each.to ?? to, to), "x")
    const element = document.createElement("i")
    element.className = `happening ${each.tone}`
    element.dataset["happening"] = each.text
    element.title = `${toSeconds.format(each.from * 1000)} ${each.text}`
    element.style.left = `${left}px`
    element.style.width = `${Math.max(1, right - left)}px`
    return element
  })
  let layer = plot.over.querySelector(".happenings")
  if (layer === null) {
    layer = document.createElement("div")
    layer.className = "happenings"
    plot.over.prepend(layer)
  }
  layer.replaceChildren(...marks)
}

const toSeconds = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23"
})

const minutes = [15, 30, 60, 120, 300, 600, 1200]
const wholeSteps = [1, 10, 100, 1000, 10_000].flatMap((n) => [n, 2 * n, 5 * n])

const seriesOf = ({ colour: name, label, look }: Line, colour: (name: string) => string): uPlot.Series => {
  const stroke = colour(name)
  return {
    label,
    stroke,
    width: look === "area" ? 1.5 : 1.25,
    dash: dashes[look],
    points: { show: false },
    ...(look === "area" ? { fill: colour(`${name}-soft`) } : {})
  }
}

/** A server that has just started has little to show: the window grows with it, from a minute to all that is kept. */
const windowOf = ({ at, span }: Series): [number, number] => {
  const end = at.at(-1) ?? Date.now() / 1000
  const shown = Math.max(range.peek(), range.peek() > 5 * 60_000 ? 0 : span) / 1000
  return [Math.max(end - shown, Math.min(at[0] ?? end, end - 60)), end]
}

/** Room above the highest value, and something to see where all is 0. */
const top = (max: number | null): number => max === null || max <= 0 ? 1 : max * 1.12

/** One at the very left would run into the labels of the other axis, one at the right would be cut. */
const timesOf = (splits: ReadonlyArray<number>, series: Series): Array<string | null> => {
  const [from, to] = windowOf(series)
  return splits.map((second) => {
    const place = (second - from) / (to - from)
    return place < 0.06 || place > 0.95 ? null : hoursAndMinutes(second)
  })
}

const toMinutes = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
const hoursAndMinutes = (seconds: number): string =>
  seconds % 60 === 0 ? toMinutes.format(seconds * 1000) : `:${seconds % 60}`
