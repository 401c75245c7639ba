/**
 * The option `session`: types alone.
 */

/**
 * How a session is for the callers of one key.
 *
 * @category models
 * @since 0.1.0
 */
export interface SessionState {
  /** The role that statements run as (`SET ROLE`), which the pool's own user must be a member of. Default: that user. */
  readonly role?: string | undefined
  /** Settings, such as `{ "app.tenant": key }` for policies of row level security. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/**
 * Says how a session is to be for the callers of a key. It must give the same for the same key, and not wait.
 *
 * @category models
 * @since 0.1.0
 */
export type SessionOf = (key: string) => SessionState
