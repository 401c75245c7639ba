/**
 * Points and what is made of them. A point and a circle are objects, as `pg` has them; the others are text.
 */
import type { Bytes } from "./bytes.ts"
import { float } from "./plain.ts"

interface Point {
  readonly x: number
  readonly y: number
}

export const point = (bytes: Bytes): Point => ({ x: bytes.float64(), y: bytes.float64() })

export const pointText = ({ x, y }: Point): string => `(${float(x)},${float(y)})`

export const circle = (bytes: Bytes): Point & { readonly radius: number } => ({
  ...point(bytes),
  radius: bytes.float64()
})

export const circleText = (bytes: Bytes): string => {
  const { radius, ...center } = circle(bytes)
  return `<${pointText(center)},${float(radius)}>`
}

const points = (bytes: Bytes, count: number): string =>
  Array.from({ length: count }, () => pointText(point(bytes))).join(",")

export const line = (bytes: Bytes): string =>
  `{${float(bytes.float64())},${float(bytes.float64())},${float(bytes.float64())}}`

export const segment = (bytes: Bytes): string => `[${points(bytes, 2)}]`

export const box = (bytes: Bytes): string => points(bytes, 2)

export const path = (bytes: Bytes): string => {
  const isClosed = bytes.uint8() === 1
  const text = points(bytes, bytes.int32())
  return isClosed ? `(${text})` : `[${text}]`
}

export const polygon = (bytes: Bytes): string => `(${points(bytes, bytes.int32())})`
