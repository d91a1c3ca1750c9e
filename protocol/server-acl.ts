import { matchesGlob } from './glob.ts';
import type { JsonObject, JsonValue } from './json.ts';

/**
 * Server ACLs (Client-Server API, "Server Access Control Lists (ACLs) for rooms"): whether a server may take part
 * in a room. `content` is that of `m.room.server_acl`; a room without one admits everybody.
 */
export function isAllowedByAcl(content: JsonObject | undefined, serverName: string): boolean {
  if (content === undefined) return true;
  const host = aclHostOf(serverName);
  // 2. IP literals are denied where allow_ip_literals is present and false.
  if (content['allow_ip_literals'] === false && isIpLiteral(host)) return false;
  // 3. Deny beats allow.
  if (patterns(content['deny']).some((pattern) => matchesGlob(pattern, host))) return false;
  // 4., 5. Whoever is not allowed is denied.
  return patterns(content['allow']).some((pattern) => matchesGlob(pattern, host));
}

function patterns(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((pattern) => typeof pattern === 'string') : [];
}

/** The server name as an ACL names it: without its port. */
export function aclHostOf(serverName: string): string {
  const end = serverName.startsWith('[') ? serverName.indexOf(']') + 1 : serverName.indexOf(':');
  return end > 0 ? serverName.slice(0, end) : serverName;
}

/** Is this host of an ACL an address, and no name? */
export function isIpLiteral(host: string): boolean {
  return host.startsWith('[') || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
}
