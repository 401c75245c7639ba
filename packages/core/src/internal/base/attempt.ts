/**
 * Calls a connector's synchronous hook without trusting it.
 *
 * Whatever a hook throws must not keep a connection from being given back. This is the one `try` of the engine: it is on
 * the path of every lease, and unlike a wrapper it costs nothing there.
 */

/** The answer of a hook that threw. */
export class Threw {
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
}

/** `self` is whose hook it is: a connector may be an object of a class. */
export const attempt = <A, B, C>(self: object, hook: (a: A, b: B) => C, a: A, b: B): C | Threw => {
  try {
    return hook.call(self, a, b)
  } catch (cause) {
    return new Threw(cause)
  }
}
