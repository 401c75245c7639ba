/** The connections that the pools hold: objects that cost nothing, so that only the pools are timed. */

export interface Connection {
  readonly id: number
  isBroken: boolean
}

/** Opens the connections of one pool and counts them, so that a pool that opens too many is found out. */
export interface Connections {
  open(): Connection
  close(connection: Connection): void
  readonly opened: number
  readonly closed: number
  /** The most that were open at one time. */
  readonly peak: number
}

export const makeConnections = (): Connections => {
  let opened = 0
  let closed = 0
  let peak = 0
  return {
    open() {
      opened++
      peak = Math.max(peak, opened - closed)
      return { id: opened, isBroken: false }
    },
    close(connection) {
      closed++
      connection.isBroken = true
    },
    get opened() {
      return opened
    },
    get closed() {
      return closed
    },
    get peak() {
      return peak
    }
  }
}
