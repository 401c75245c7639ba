/**
 * Which of a cluster's 16384 slots a key belongs to: CRC-16 (XMODEM) of the key, or of what it has in braces.
 */

export const slotCount = 16_384

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc
})

export const slotOf = (key: string | Buffer): number => {
  const bytes = tagOf(typeof key === "string" ? Buffer.from(key) : key)
  let crc = 0
  for (const byte of bytes) crc = ((crc << 8) ^ table[((crc >> 8) ^ byte) & 0xff]!) & 0xffff
  return crc % slotCount
}

/** Keys with the same text in their first braces are kept together. */
const tagOf = (key: Buffer): Buffer => {
  const open = key.indexOf("{")
  if (open < 0) return key
  const close = key.indexOf("}", open + 1)
  return close <= open + 1 ? key : key.subarray(open + 1, close)
}
