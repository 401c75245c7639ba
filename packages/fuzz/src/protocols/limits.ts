/** The limits of every pool that is fuzzed: an exchange that meets silence must be over soon. */
export const limits = {
  maxConnections: 2,
  minConnections: 0,
  acquireTimeout: 600,
  connectTimeout: 300,
  validateTimeout: 200,
  resetTimeout: 200,
  closeTimeout: 200,
  drainTimeout: 100
} as const
