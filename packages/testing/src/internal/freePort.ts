/**
 * A port below those the system gives to clients: nobody takes it by chance while its server is down, and a client
 * that dials it then can't be connected to itself.
 *
 * Processes that start together must not try the same ports, so this chance is not that of `Random`.
 */
export const candidatePort = (): number => {
  const [random = 0] = crypto.getRandomValues(new Uint16Array(1))
  return 20_000 + random % 12_000
}
