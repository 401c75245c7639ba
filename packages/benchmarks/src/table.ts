/** Tables for people. */

export type Row = ReadonlyArray<string>

/** A Markdown table, which reads well in a terminal too. */
export const table = (head: Row, rows: ReadonlyArray<Row>): string => {
  const widths = head.map((cell, i) => Math.max(3, cell.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: Row) =>
    `| ${cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)).join(" | ")} |`
  const rule = `| ${widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`).join(" | ")} |`
  return [line(head), rule, ...rows.map(line)].join("\n")
}

export const round = (value: number): number => Math.round(value * 1000) / 1000
