/** Identifier grammar (appendices, "Identifier Grammar"). All limits are in bytes of UTF-8. */

const maxBytes = 255;

export interface UserId {
  readonly localpart: string;
  readonly serverName: string;
}

/**
 * Splits `@localpart:server`. Takes the historical grammar too, the empty localpart included: events of other
 * servers' old users must pass. New users get `isValidLocalpart`.
 */
export function parseUserId(text: string): UserId | undefined {
  return parseSigil(text, '@');
}

/** Splits `#name:server`. */
export function parseRoomAlias(text: string): UserId | undefined {
  return parseSigil(text, '#');
}

function parseSigil(text: string, sigil: string): UserId | undefined {
  if (!text.startsWith(sigil) || Buffer.byteLength(text) > maxBytes) return undefined;
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  const localpart = text.slice(1, colon);
  const serverName = text.slice(colon + 1);
  return isOpaque(localpart) && isValidServerName(serverName) ? { localpart, serverName } : undefined;
}

/** The grammar for new users: lower-case letters, digits and `._=-/+`. */
export function isValidLocalpart(text: string): boolean {
  return /^[a-z0-9._=\-/+]+$/.test(text);
}

/**
 * `hostname[:port]`: a DNS name, an IPv4 address or an IPv6 address in brackets. Four numbers of which one is above
 * 255 are no IPv4 address but fit the grammar of a DNS name, so other servers take them and so do we.
 */
export function isValidServerName(text: string): boolean {
  const match = /^(?:[A-Za-z0-9.-]{1,255}|\[([0-9A-Fa-f:.]{2,45})\])(?::\d{1,5})?$/.exec(text);
  if (match === null) return false;
  const ipv6 = match[1];
  return ipv6 === undefined || isIpv6(ipv6);
}

/** RFC 3513, section 2.2: eight groups, of which `::` stands for at least one; an IPv4 address may be the last two. */
function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [half, side] of halves.entries()) {
    if (side === '') continue;
    const parts = side.split(':');
    for (const [index, part] of parts.entries()) {
      const isLast = half === halves.length - 1 && index === parts.length - 1;
      if (isLast && isIpv4(part)) groups += 2;
      else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups += 1;
      else return false;
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8;
}

function isIpv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255);
}

/** `!opaque:server`, or `!hash` in room version 12. */
export function isValidRoomId(text: string): boolean {
  if (!text.startsWith('!') || Buffer.byteLength(text) > maxBytes) return false;
  const colon = text.indexOf(':');
  if (colon < 0) return /^![A-Za-z0-9_-]{43}$/.test(text);
  return colon > 1 && isOpaque(text.slice(1, colon)) && isValidServerName(text.slice(colon + 1));
}

/** `$hash` in all room versions that we speak; opaque, since an id that names nothing is simply not found. */
export function isValidEventId(text: string): boolean {
  return text.startsWith('$') && text.length > 1 && Buffer.byteLength(text) <= maxBytes && isOpaque(text);
}

/** Any code points but NUL (and the colon, at which identifiers are split). */
function isOpaque(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** `mxc://server/mediaId`. */
export function isMxcUri(text: string): boolean {
  const match = /^mxc:\/\/([^/]+)\/[A-Za-z0-9_-]+$/.exec(text);
  return match?.[1] !== undefined && isValidServerName(match[1]);
}

/** What stands after the first colon; '' where there is none. */
export function serverNameOf(id: string): string {
  const colon = id.indexOf(':');
  return colon < 0 ? '' : id.slice(colon + 1);
}
