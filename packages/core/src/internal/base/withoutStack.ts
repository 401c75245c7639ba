/**
 * Makes an error without a stack: one that the pool's own timer makes would show nothing of its caller, and to collect it
 * takes longer than all else that a caller's time-out needs. `make` must not throw.
 */
export const withoutStack = <E extends Error>(make: () => E): E => {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const error = make()
  Error.stackTraceLimit = stackTraceLimit
  return error
}
