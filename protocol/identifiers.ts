/** Identifier grammar (appendices, "Identifier Grammar"). All limits are in bytes of UTF-8. */

const maxBytes = 255;

export interface UserId {
  readonly localpart: string;
  readonly serverName: string;
}

/**
 * Splits `@localpart:server`. Takes the historical grammar too: events of other servers' old users must pass. New
 * users get `isValidLocalpart`.
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
  if (localpart.includes('\0') || !localpart.isWellFormed() || !isValidServerName(serverName))
    return undefined;
  return { localpart, serverName };
}

/** The grammar for new users: lower-case letters, digits and `._=-/+`. */
export function isValidLocalpart(text: string): boolean {
  return /^[a-z0-9._=\-/+]+$/.test(text);
}

/** `hostname[:port]`: a DNS name, an IPv4 address or an IPv6 address in brackets. */
export function isValidServerName(text: string): boolean {
  if (text.length > 230) return false;
  return /^(?:[A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/.test(text);
}

/** `!opaque:server`, or `!hash` in room version 12. */
export function isValidRoomId(text: string): boolean {
  if (!text.startsWith('!') || Buffer.byteLength(text) > maxBytes || text.includes('\0')) return false;
  const colon = text.indexOf(':');
  if (colon < 0) return /^![A-Za-z0-9_-]{43}$/.test(text);
  return colon > 1 && isValidServerName(text.slice(colon + 1));
}

/** `$hash` in all room versions that we speak. */
export function isValidEventId(text: string): boolean {
  return (
    text.startsWith('$') && text.length > 1 && Buffer.byteLength(text) <= maxBytes && !text.includes('\0')
  );
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
