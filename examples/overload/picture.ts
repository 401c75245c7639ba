/** Draws the seconds of both ways as an SVG. */
import { capacity, type Second } from "./service.ts"

const width = 380
const height = 200
const margin = { left: 46, top: 44, bottom: 30, gap: 60 }

interface Line {
  readonly name: string
  readonly color: string
  readonly values: ReadonlyArray<number>
}

interface Panel {
  readonly title: string
  readonly most: number
  readonly unit: string
  readonly lines: ReadonlyArray<Line>
}

const panel = ({ lines, most, title, unit }: Panel, index: number): string => {
  const left = margin.left + index * (width + margin.gap)
  const seconds = Math.max(1, ...lines.map(({ values }) => values.length - 1))
  const x = (second: number) => (left + second / seconds * width).toFixed(1)
  const y = (value: number) => (margin.top + height - Math.min(1, value / most) * height).toFixed(1)
  const grid = [0, 0.5, 1].map((part) =>
    `<line x1="${left}" x2="${left + width}" y1="${y(part * most)}" y2="${y(part * most)}" stroke="#8886"/>` +
    `<text x="${left - 6}" y="${Number(y(part * most)) + 4}" text-anchor="end">${part * most}${unit}</text>`
  )
  const drawn = lines.map(({ color, name, values }, line) => {
    const points = values.map((value, second) => `${x(second)},${y(value)}`).join(" ")
    return `<polyline points="${points}" fill="none" stroke="${color}" stroke-width="2.5"/>` +
      `<text x="${left + 8 + line * 130}" y="${margin.top + height + 22}" fill="${color}">${name}</text>`
  })
  return [`<text x="${left}" y="${margin.top - 18}" font-weight="bold">${title}</text>`, ...grid, ...drawn].join("\n")
}

const lines = (ways: Readonly<Record<string, ReadonlyArray<Second>>>, read: (second: Second) => number) => {
  const colors = ["#d1495b", "#2e86ab"]
  return Object.entries(ways).map(([name, seconds], index): Line => ({
    name,
    color: colors[index % colors.length]!,
    values: seconds.map(read)
  }))
}

export const draw = (ways: Readonly<Record<string, ReadonlyArray<Second>>>, load: number): string => {
  const panels: ReadonlyArray<Panel> = [
    {
      title: `answers a second in time, of ${load * capacity} asked for`,
      most: capacity,
      unit: "",
      lines: lines(ways, ({ answered }) => answered)
    },
    {
      title: "clients of high priority answered in time",
      most: 100,
      unit: " %",
      lines: lines(ways, ({ answeredHigh, askedHigh }) => askedHigh === 0 ? 0 : 100 * answeredHigh / askedHigh)
    }
  ]
  const whole = [2 * (margin.left + width) + margin.gap, margin.top + height + margin.bottom]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${
      whole.join(" ")
    }" font-family="sans-serif" font-size="13" fill="#888">`,
    ...panels.map(panel),
    "</svg>\n"
  ].join("\n")
}
