/** Draws how the limit of a pool moved, from what a run has measured. */

export interface Run {
  readonly start: number
  /** The live limit at the end of each second. */
  readonly limits: ReadonlyArray<number>
  /** Leases a second in each second. */
  readonly rates: ReadonlyArray<number>
  readonly found: number
  readonly rate: number
  readonly moves: ReadonlyArray<string>
}

interface Panel {
  readonly title: string
  readonly top: number
  readonly most: number
  readonly best: number
  readonly ticks: ReadonlyArray<number>
  readonly read: (run: Run) => ReadonlyArray<number>
}

const width = 720
const height = 180
const left = 56
const colours = ["#2563eb", "#d97706"]

/** An SVG that is legible on light and dark pages. */
export const pictureOf = (runs: ReadonlyArray<Run>, best: { readonly size: number; readonly rate: number }): string => {
  const seconds = Math.max(...runs.map(({ limits }) => limits.length))
  const panels: ReadonlyArray<Panel> = [
    {
      title: "connections (live limit)",
      top: 30,
      most: 110,
      best: best.size,
      ticks: [0, 50, 100],
      read: ({ limits, start }) => [start, ...limits]
    },
    {
      title: "leases a second",
      top: 80 + height,
      most: 1.2 * best.rate,
      best: best.rate,
      ticks: [0, best.rate / 2, best.rate],
      read: ({ rates }) => [rates[0] ?? 0, ...rates]
    }
  ]
  const x = (second: number): number => left + second / seconds * (width - left - 20)
  const drawn = panels.map((panel) => drawPanel(panel, runs, x, seconds)).join("\n")
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${
    2 * height + 110
  }" font-family="sans-serif" font-size="12" role="img">
<title>The live limit of a pool with sizing, started from ${
    runs.map(({ start }) => start).join(" and ")
  } connections</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${drawn}
${
    runs.map(({ start }, index) =>
      `<text x="${left + index * 160}" y="${2 * height + 120}" fill="${colours[index]}">started from ${start}</text>`
    ).join("\n")
  }
<text x="${left + 330}" y="${2 * height + 120}" fill="#6b7280">dashed: the best fixed size (${best.size})</text>
</svg>
`
}

const drawPanel = (
  { best, most, read, ticks, title, top }: Panel,
  runs: ReadonlyArray<Run>,
  x: (second: number) => number,
  seconds: number
): string => {
  const y = (value: number): number => top + height - Math.min(1, value / most) * height
  const line = (values: ReadonlyArray<number>): string =>
    values.map((value, second) => `${x(second).toFixed(1)},${y(value).toFixed(1)}`).join(" ")
  const marks = Array.from({ length: Math.floor(seconds / 15) + 1 }, (_, index) => index * 15)
  return [
    `<text x="${left}" y="${top - 8}" fill="#111827">${title}</text>`,
    `<path d="M${left} ${top}V${top + height}H${width - 20}" fill="none" stroke="#9ca3af"/>`,
    ...ticks.map((tick) =>
      `<text x="${left - 8}" y="${y(tick) + 4}" text-anchor="end" fill="#6b7280">${Math.round(tick)}</text>`
    ),
    ...marks.map((mark) =>
      `<text x="${x(mark)}" y="${top + height + 16}" text-anchor="middle" fill="#6b7280">${mark} s</text>`
    ),
    `<path d="M${left} ${y(best)}H${width - 20}" stroke="#6b7280" stroke-dasharray="4 4"/>`,
    ...runs.map((run, index) =>
      `<polyline points="${line(read(run))}" fill="none" stroke="${colours[index]}" stroke-width="2"/>`
    )
  ].join("\n")
}
