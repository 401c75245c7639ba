/**
 * Whether a request comes from a page that may send it.
 *
 * A page from elsewhere can make a browser send requests here. It can't read the answers, as nothing here allows that,
 * but by rebinding its own name to this address it would become the same origin. So `Host`, which every browser sends,
 * must be an address, `localhost` or a name that was allowed; and `Origin`, where a browser sends it, must be the same
 * as `Host`, or a name that was allowed: a proxy may have put another `Host` in its place.
 */
import { isIP } from "node:net"

type Headers = Readonly<Record<string, string | undefined>>

export class Origins {
  /** In lower case. */
  private readonly hosts: ReadonlySet<string>

  constructor(hosts: ReadonlyArray<string>) {
    this.hosts = new Set(hosts.map((host) => host.toLowerCase()))
  }

  /** Probes of HTTP/1.0 send no `Host`; no browser does without. */
  isHostAllowed(host: string | undefined): boolean {
    if (host === undefined) return true
    const name = hostname(host)
    return name !== undefined && (name === "localhost" || isAddress(name) || this.hosts.has(name))
  }

  isFromElsewhere(headers: Headers): boolean {
    const { host, origin, "sec-fetch-mode": mode, "sec-fetch-site": site } = headers
    // A link on another page may lead here.
    if (site === "cross-site" && mode !== "navigate") return true
    if (origin === undefined) return false
    const [, scheme = "", authority = ""] = /^(https?):\/\/([^/]+)$/i.exec(origin) ?? []
    if (authority === "") return true
    if (withoutDefaultPort(scheme, authority) === withoutDefaultPort(scheme, host ?? "")) return false
    const name = hostname(authority)
    return !(name !== undefined && this.hosts.has(name) && (site === undefined || site === "same-origin"))
  }
}

const withoutDefaultPort = (scheme: string, authority: string): string =>
  authority.toLowerCase().replace(scheme.toLowerCase() === "https" ? /:443$/ : /:80$/, "")

/** The host of a `Host` header without its port, in lower case. */
const hostname = (host: string): string | undefined =>
  /^(\[[0-9a-f:.]+\]|[^:[\]/@]+)(?::\d+)?$/i.exec(host)?.[1]?.toLowerCase()

const isAddress = (name: string): boolean => isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0
