/**
 * The answers of the monitoring routes, as schemas: enough to write a page or a client from.
 *
 * All paths are below the place where the routes are mounted, by default `/`. Durations are milliseconds, times are
 * milliseconds since the epoch, shares are 0 to 1 and utilizations 0 to 100. There is no secret in any of it. A pool's
 * name in a path is URL-encoded (`encodeURIComponent`).
 *
 * | verb and path | answer | status |
 * | --- | --- | --- |
 * | `GET /` and below | the dashboard's files | 200, 404 |
 * | `GET /live` | `Live`: the process answers | 200 |
 * | `GET /ready` | `Ready`: every pool can give callers a connection | 200, 503 |
 * | `GET /health` | `Health`: all pools as one | 200 healthy, 503 degraded or unhealthy |
 * | `GET /metrics` | Prometheus text | 200 |
 * | `GET /pools` | `Pools`: the fleet and each pool | 200 |
 * | `GET /pools/:name` | `Pool` | 200, 404 |
 * | `GET /pools/:name/connections` | `Connections` | 200, 404 |
 * | `GET /history` | `History`: the samples of the last minutes, for charts; `?range=long` adds one of each 20 s of the last hour | 200, 400 |
 * | `GET /alerts` | `Alerts`: raised now, and cleared lately | 200 |
 * | `GET /events` | a stream of `Message`s, see below | 200, 400, 503 too many streams |
 * | `POST /pools/:name/warm-up` | `WarmedUp`; takes `WarmUp` as JSON or no body | 200, 400, 404, 409 |
 * | `POST /pools/:name/drain` | `Drained`, once it is; the drain goes on if the client leaves | 200, 400, 404 |
 * | `POST /pools/:name/pause`, `/resume`, `/retire-all` | `Done` | 200, 404, 409 |
 * | `DELETE /pools/:name/connections/:id` | `Done` | 200, 404 |
 *
 * A request that takes longer than `heartbeat` is answered with 200 and a space every `heartbeat` until the JSON comes;
 * one that fails so late is a `Failure` in that answer.
 *
 * The last four exist only where a token was given and need the header `Authorization: Bearer <token>`: without it they
 * answer 401, and 429 with `Retry-After` after too many wrong ones from one address. Where reading needs the token as well (a server that is not on loopback), so do all others but `/live`,
 * `/ready` and the dashboard's files. Every answer that is not 2xx is a `Failure`, except 503 of `/health` and
 * `/ready`. 403 says that `Host` or `Origin` is not allowed, 405 that the path takes other methods (`Allow`; of a server of its own),
 * 413 that the body is too large.
 *
 * ## The stream
 *
 * `GET /events` sends server-sent events. The field `event` is the `_tag` of a `Message`, `data` is the message as JSON
 * on one line, and those that can be resumed from have an `id`. A comment (`: still here`) comes every `heartbeat` ms;
 * a client that hears nothing for three times as long should connect again. `EventSource` can't send `Authorization`:
 * where reading needs the token use `fetch` and read the body.
 *
 * 1. `Hello` comes first. Another `instance` than before says that the server is a new one: its counts begin anew.
 * 2. If the request had `Last-Event-ID`, what was missed comes next, or a `Gap` if that is no longer known. Without it
 *    `?last=100` brings the last 100 events and changes of alerts that are still known, of 1000 at most.
 * 3. Then, as they happen: `Happened` (an event of a pool), `AlertRaised`, `AlertCleared`, `Acted` (somebody with the token changed a pool), and every
 *    `sampleInterval` ms `Sampled` with one sample of each pool.
 *
 * `?leases=true` adds `Acquired` and `Released` for each lease, of which there may be very many. They come beside the
 * others: `at` tells the order. A client that reads too slowly is disconnected. Any other parameter is refused with 400.
 *
 * @since 0.1.0
 */
export * from "./internal/api/answers.ts"
export * from "./internal/api/models.ts"
export * from "./internal/api/stream.ts"
