/** Makes what a server says wrong, in the ways in which servers, proxies and attackers are wrong. */
import type { Dice } from "./Dice.ts"

type Mutation = (bytes: Buffer, dice: Dice) => Buffer

const splice = (bytes: Buffer, at: number, remove: number, insert: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)])

const flipBit: Mutation = (bytes, dice) => {
  const at = dice.below(bytes.length)
  return splice(bytes, at, 1, Buffer.of(bytes[at]! ^ (1 << dice.below(8))))
}

const overwrite: Mutation = (bytes, dice) => {
  const length = 1 + dice.below(8)
  return splice(bytes, dice.below(bytes.length), length, dice.bytes(length))
}

const truncate: Mutation = (bytes, dice) => bytes.subarray(0, dice.below(bytes.length))

const remove: Mutation = (bytes, dice) => splice(bytes, dice.below(bytes.length), 1 + dice.below(16), Buffer.alloc(0))

const insert: Mutation = (bytes, dice) => splice(bytes, dice.below(bytes.length), 0, dice.bytes(1 + dice.below(32)))

const repeat: Mutation = (bytes, dice) => {
  const from = dice.below(bytes.length)
  const part = bytes.subarray(from, from + 1 + dice.below(64))
  return splice(bytes, from, 0, Buffer.concat(Array.from({ length: 1 + dice.below(200) }, () => part)))
}

/** Lengths and counts at the edges of their types are where readers go wrong. */
const edges = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]

const edgeNumber: Mutation = (bytes, dice) => {
  const width = dice.pick([1, 2, 4])
  const number = Buffer.alloc(4)
  number.writeUInt32BE(dice.pick(edges))
  return splice(bytes, dice.below(bytes.length), width, number.subarray(4 - width))
}

/** The same for protocols that write their numbers as text. */
const edgeDigits: Mutation = (bytes, dice) => {
  const text = bytes.toString("latin1")
  const numbers = Array.from(text.matchAll(/\d{1,20}/g))
  if (numbers.length === 0) return edgeNumber(bytes, dice)
  const { 0: digits, index } = dice.pick(numbers)
  const edge = dice.pick(["-1", "0", "00", "1e9", "2147483648", "4294967296", "99999999999999999999", "0x10", ""])
  return splice(bytes, index, digits.length, Buffer.from(edge))
}

const mutations = [flipBit, overwrite, truncate, remove, insert, repeat, edgeNumber, edgeDigits]

/** One to three mutations of what a server would have said. */
export const mutate = (bytes: Buffer, dice: Dice): Buffer => {
  let mutated = bytes
  for (let left = 1 + dice.below(3); left > 0 && mutated.length > 0; left--) {
    mutated = dice.pick(mutations)(mutated, dice)
  }
  return mutated
}
