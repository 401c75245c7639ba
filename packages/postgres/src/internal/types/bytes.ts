/**
 * Reads the parts of one value in PostgreSQL's binary format, from the front to the back. Whatever is missing throws.
 */
export class Bytes {
  private readonly view: DataView
  private readonly source: Uint8Array
  private at = 0

  constructor(source: Uint8Array) {
    this.source = source
    this.view = new DataView(source.buffer, source.byteOffset, source.byteLength)
  }

  get left(): number {
    return this.source.length - this.at
  }

  private step(size: number): number {
    const { at } = this
    if (size < 0 || size > this.left) throw new RangeError("the value ends too early")
    this.at += size
    return at
  }

  int8(): number {
    return this.view.getInt8(this.step(1))
  }

  uint8(): number {
    return this.view.getUint8(this.step(1))
  }

  int16(): number {
    return this.view.getInt16(this.step(2))
  }

  uint16(): number {
    return this.view.getUint16(this.step(2))
  }

  int32(): number {
    return this.view.getInt32(this.step(4))
  }

  uint32(): number {
    return this.view.getUint32(this.step(4))
  }

  int64(): bigint {
    return this.view.getBigInt64(this.step(8))
  }

  float32(): number {
    return this.view.getFloat32(this.step(4))
  }

  float64(): number {
    return this.view.getFloat64(this.step(8))
  }

  take(size: number): Uint8Array {
    const at = this.step(size)
    return this.source.subarray(at, at + size)
  }

  rest(): Uint8Array {
    return this.take(this.left)
  }

  text(size: number = this.left): string {
    return strict.decode(this.take(size))
  }

  /** A text that a zero byte ends. */
  cString(): string {
    const end = this.source.indexOf(0, this.at)
    const text = this.text((end === -1 ? this.source.length : end) - this.at)
    this.step(1)
    return text
  }

  /** A value with its length before it; `undefined` for NULL. */
  sized(): Uint8Array | undefined {
    const size = this.int32()
    return size === -1 ? undefined : this.take(size)
  }

  end(): void {
    if (this.left > 0) throw new RangeError("the value goes on after its end")
  }
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
