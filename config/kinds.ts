import { isIP } from 'node:net';
import { decodeBase64 } from '../protocol/base64.ts';
import { isValidLocalpart, isValidServerName, parseUserId } from '../protocol/identifiers.ts';
import { roomVersions } from '../protocol/room-versions.ts';
import { closest } from './closest.ts';
import { parseDuration, parseEnd, parseMoment, parseSize } from './units.ts';

/** What a text of the configuration has to be, beyond being text. */
export type TextKind =
  | 'server-name'
  | 'partner-name'
  | 'base-url'
  | 'link-url'
  | 'proxy-url'
  | 'callback-url'
  | 'syslog-url'
  | 'duration'
  | 'duration-or-never'
  | 'localpart'
  | 'size'
  | 'end'
  | 'moment'
  | 'verify-key'
  | 'room-version'
  | 'address'
  | 'address-range'
  | 'path'
  | 'secret'
  | 'user-id'
  | 'remote-user'
  | 'media-type'
  | 'line';

export interface Objection {
  /** Continues "KEY …". */
  readonly message: string;
  readonly suggestion?: string | undefined;
}

/** What is wrong with a text of that kind, or undefined. */
export function objectionTo(kind: TextKind, text: string): Objection | undefined {
  return rules[kind](text);
}

const rules: Readonly<Record<TextKind, (text: string) => Objection | undefined>> = {
  'server-name': serverName,
  'partner-name': (text) =>
    text.includes('*')
      ? bad('must be the name of one server', text, 'keys are pinned to one server: add each by its card')
      : serverName(text),
  'base-url': (text) => {
    const url = urlOf(text, ['http:', 'https:']);
    const shape = 'must be the URL of this island as seen from outside, such as https://chat.acme.example/';
    if (url === undefined) return bad(shape, text, withScheme(text, 'https'));
    return url.search === '' && url.hash === ''
      ? undefined
      : bad(shape, text, 'leave out ? and # and what follows');
  },
  'link-url': (text) => {
    if (urlOf(text, ['ws:', 'wss:']) !== undefined) return undefined;
    const secure = text.replace(/^http(s?):\/\//, 'ws$1://');
    const suggestion = secure === text ? withScheme(text, 'wss') : `write ${secure}`;
    return bad('must be a URL that begins with wss:// (or ws://)', text, suggestion);
  },
  'proxy-url': (text) => {
    const url = urlOf(text, ['http:'], { password: true });
    const suggestion = text.startsWith('https://') ? undefined : withScheme(text, 'http');
    if (url !== undefined) return undefined;
    const message = 'must be an HTTP proxy, http://HOST:PORT';
    // A password may be in it, which is nobody's business.
    return text.includes('@') ? { message } : bad(message, text, suggestion);
  },
  'callback-url': (text) =>
    urlOf(text, ['http:', 'https:']) === undefined
      ? bad('must be a URL that begins with https:// or http://', text, withScheme(text, 'https'))
      : undefined,
  'syslog-url': (text) => {
    const url = urlOf(text, ['udp:', 'tcp:', 'tls:']);
    return url !== undefined && ['', '/'].includes(url.pathname) && url.search === '' && url.hash === ''
      ? undefined
      : bad('must be a syslog server, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT', text);
  },
  duration: (text) => {
    if (parseDuration(text) !== undefined) return undefined;
    const suggestion = /^-/.test(text) ? 'a duration cannot be negative' : undefined;
    return bad('must be a duration such as 30s, 5m, 2h or 1d', text, suggestion);
  },
  'duration-or-never': (text) => {
    if (text === 'never' || parseDuration(text) !== undefined) return undefined;
    const suggestion = /^(?:no|off|none)$/i.test(text) ? 'write never' : undefined;
    return bad('must be a duration such as 5m, or never', text, suggestion);
  },
  localpart: (text) =>
    isValidLocalpart(text)
      ? undefined
      : bad('must be the part of a user id before the colon, of a-z, 0-9 and . _ = - / +', text),
  size: (text) => {
    if (parseSize(text) !== undefined) return undefined;
    const plain = text.toUpperCase().replace(/\s|I?B$/g, '');
    const suggestion = parseSize(plain) === undefined ? undefined : `write ${plain}`;
    return bad('must be a size such as 512K, 50M or 2G', text, suggestion);
  },
  end: (text) =>
    parseEnd(text) === undefined
      ? bad('must be a date such as 2027-12-31, or a time such as 2027-12-31T18:00:00Z', text)
      : undefined,
  moment: (text) =>
    parseMoment(text) === undefined ? bad('must be a time such as 2027-12-31T18:00:00Z', text) : undefined,
  'verify-key': (text) => {
    const bytes = decodeBase64(text);
    if (bytes === undefined) return bad('must be an Ed25519 public key in Base64', text);
    return bytes.length === 32
      ? undefined
      : { message: `must be an Ed25519 public key of 32 bytes, and has ${bytes.length}` };
  },
  'room-version': (text) =>
    roomVersions.has(text)
      ? undefined
      : bad(`must be one of ${[...roomVersions.keys()].map((id) => `"${id}"`).join(', ')}`, text),
  address: (text) =>
    isIP(text) === 0
      ? bad('must be an IP address', text, text === 'localhost' ? 'write 127.0.0.1' : undefined)
      : undefined,
  'address-range': (text) => {
    const [address, bits, ...more] = text.split('/');
    const family = isIP(address ?? '');
    const isRange =
      bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
    return family !== 0 && isRange && more.length === 0
      ? undefined
      : bad('must be an IP address or a range such as 10.0.0.0/8', text);
  },
  path: (text) => (text === '' || text.includes('\0') ? bad('must be a path', text) : undefined),
  secret: (text) => (text === '' ? { message: 'must not be empty' } : undefined),
  'user-id': (text) =>
    parseUserId(text) === undefined
      ? bad(
          'must be a user id such as @ann:acme.example',
          text,
          text === '*' ? 'write {everyone: true}' : undefined,
        )
      : undefined,
  'remote-user': (text) =>
    text === '*' || parseUserId(text) !== undefined
      ? undefined
      : bad('must be "*" or a user id such as @bob:bolt.example', text),
  'media-type': (text) =>
    /^[a-z0-9!#$&^_.+-]+\/(?:\*|[a-z0-9!#$&^_.+-]+)$/i.test(text)
      ? undefined
      : bad('must be a media type such as application/pdf or image/*', text),
  line: (text) =>
    text === '' || /[\r\n\0]/.test(text) ? { message: 'must be one line of text' } : undefined,
};

function serverName(text: string): Objection | undefined {
  const name = 'must be a server name such as acme.example';
  const port = Number(/:(\d+)$/.exec(text)?.[1] ?? 1);
  if (isValidServerName(text) && port >= 1 && port <= 65_535 && !/^[.-]|\.\./.test(text)) return undefined;
  const url = urlOf(text, ['http:', 'https:']);
  if (url !== undefined) return bad(name, text, `write ${url.host}, without ${url.protocol}//`);
  if (text.startsWith('@') && text.includes(':'))
    return bad(name, text, `write ${text.slice(text.indexOf(':') + 1)}, without the user`);
  return bad(name, text);
}

function bad(message: string, text: string, suggestion?: string): Objection {
  return { message: `${message}, and is ${JSON.stringify(text)}`, suggestion };
}

function withScheme(text: string, scheme: string): string | undefined {
  return /^[\w.-]+\.\w+(?:[:/].*)?$/.test(text) ? `write ${scheme}://${text}` : undefined;
}

function urlOf(
  text: string,
  schemes: readonly string[],
  allow: { password?: boolean } = {},
): URL | undefined {
  if (!URL.canParse(text) || text !== text.trim()) return undefined;
  const url = new URL(text);
  if (!schemes.includes(url.protocol) || url.hostname === '') return undefined;
  if (allow.password !== true && (url.username !== '' || url.password !== '')) return undefined;
  return url;
}

/** `did you mean "…"?` where a known word is near. */
export function didYouMean(text: string, known: readonly string[]): string | undefined {
  const near = closest(text, known);
  return near === undefined ? undefined : `did you mean "${near}"?`;
}
