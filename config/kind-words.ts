import type { TextKind } from './kinds.ts';

/** How a kind of text is called in the documentation, and as far as one expression says it, how it looks. */
export const kindWords: Readonly<
  Record<TextKind, { readonly word: string; readonly plural?: string; readonly pattern?: string }>
> = {
  'server-name': { word: 'server name' },
  'partner-name': { word: 'server name', pattern: '^[^*]+$' },
  'base-url': { word: 'URL', pattern: '^https?://' },
  'link-url': { word: 'URL of a link', plural: 'URLs of links', pattern: '^wss?://' },
  'proxy-url': { word: 'URL of a proxy', pattern: '^http://' },
  'callback-url': { word: 'URL', pattern: '^https?://' },
  'syslog-url': { word: 'address of a syslog server', pattern: '^(?:udp|tcp|tls)://' },
  duration: { word: 'duration', pattern: '^[0-9]{1,9}[smhdw]$' },
  'duration-or-never': { word: 'duration, or never', pattern: '^(?:[0-9]{1,9}[smhdw]|never)$' },
  localpart: { word: 'local part of a user id' },
  size: { word: 'size', pattern: '^[0-9]{1,12}[KMG]?$' },
  end: { word: 'date or time', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+Z)?$' },
  moment: { word: 'time', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$' },
  'verify-key': { word: 'public key in Base64', pattern: '^[A-Za-z0-9+/]{43}=?$' },
  'room-version': { word: 'room version' },
  address: { word: 'IP address', plural: 'IP addresses' },
  'address-range': { word: 'IP address or range', plural: 'IP addresses or ranges' },
  path: { word: 'path', pattern: '.' },
  secret: { word: 'secret', pattern: '.' },
  'user-id': { word: 'user id', pattern: '^@[^:]*:.' },
  'remote-user': { word: '"*" or a user id', plural: '"*" or user ids', pattern: '^(?:\\*|@[^:]*:.+)$' },
  'media-type': { word: 'media type', pattern: '^[^/]+/[^/]+$' },
  line: { word: 'text', pattern: '.' },
};
