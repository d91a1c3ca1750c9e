import { decodeBase64 } from '../../protocol/base64.ts';
import { isValidServerName } from '../../protocol/identifiers.ts';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import { fingerprint } from '../keys/fingerprint.ts';

/** Which side of a link may dial. */
export type Dial = 'both' | 'outbound' | 'inbound';

/** What one island tells another about itself, so that its admin can add it as a partner. */
export interface Card {
  readonly serverName: string;
  /** Milliseconds since the epoch. */
  readonly issued: number;
  readonly expires: number;
  /** Signing keys in use, by key id (`ed25519:…`); unpadded base64. Every one of them has signed the card. */
  readonly verifyKeys: ReadonlyMap<string, string>;
  /** Keys of the past, for old events: valid until that time in milliseconds. */
  readonly oldVerifyKeys: ReadonlyMap<string, { readonly key: string; readonly validUntil: number }>;
  /** Where its link listens; empty if only it can dial. */
  readonly urls: readonly string[];
  /** Who can dial, as seen by the issuer. */
  readonly dial: Dial;
  readonly software: { readonly name: string; readonly version: string };
  readonly organization?: string;
  /** The policy that the issuer proposes. */
  readonly policy: JsonObject;
  /** With which the issuer can prove another signing key if it loses this one. */
  readonly recoveryKey?: { readonly keyId: string; readonly key: string };
  /** Of the first key in the order of key ids; what is read out by phone. */
  readonly fingerprint: string;
}

const dials: readonly string[] = ['both', 'outbound', 'inbound'] satisfies Dial[];
const keyIdForm = /^ed25519:[a-zA-Z0-9_]{1,64}$/;
const latestTime = Date.UTC(9999, 0, 1);

/** Reads the shape of a card's signed part; a sentence for the admin if it is not one. */
export function parseCard(body: JsonObject): Card | string {
  if (body['card_version'] !== 1)
    return 'The card is of a version that this program does not know: one of the two islands has to be updated';
  const serverName = body['server_name'];
  if (typeof serverName !== 'string' || !isValidServerName(serverName))
    return 'The card has no valid server name';
  const issued = timeOf(body['issued_ts']);
  const expires = timeOf(body['expires_ts']);
  if (issued === undefined || expires === undefined)
    return 'The card does not say when it was issued and when it ends';
  const verifyKeys = keysOf(body['verify_keys']);
  const oldKeys = keysOf(body['old_verify_keys']);
  const first = verifyKeys?.entries().next().value;
  if (verifyKeys === undefined || first === undefined || oldKeys === undefined)
    return 'The card holds no valid signing keys';
  const link = linkOf(body['link']);
  if (link === undefined) return 'The card does not say how its link is reached';
  const software = body['software'];
  if (!isObject(software)) return 'The card does not name the software';
  const { name, version } = software;
  if (typeof name !== 'string' || typeof version !== 'string') return 'The card does not name the software';
  const policy = body['policy'];
  if (!isObject(policy)) return 'The card proposes no policy';
  const recoveryKey = recoveryOf(body['recovery_key']);
  if (recoveryKey === null) return 'The recovery key of the card is not valid';
  const organization = body['organization'];
  if (organization !== undefined && typeof organization !== 'string')
    return 'The name of the company is not text';
  const oldVerifyKeys = new Map<string, { key: string; validUntil: number }>();
  for (const [keyId, entry] of oldKeys) {
    const validUntil = timeOf(entry['expired_ts']);
    if (validUntil === undefined) return 'An old signing key has no end';
    oldVerifyKeys.set(keyId, { key: entry.key, validUntil });
  }
  return {
    serverName,
    issued,
    expires,
    verifyKeys: new Map([...verifyKeys].map(([keyId, entry]) => [keyId, entry.key])),
    oldVerifyKeys,
    ...link,
    software: { name, version },
    ...(organization === undefined ? {} : { organization }),
    policy,
    ...(recoveryKey === undefined ? {} : { recoveryKey }),
    fingerprint: fingerprint(first[1].key),
  };
}

function timeOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < latestTime
    ? value
    : undefined;
}

type KeyEntry = JsonObject & { key: string };

/** Keys in the order of their ids; undefined if one of them is not a key. */
function keysOf(value: JsonValue | undefined): Map<string, KeyEntry> | undefined {
  if (!isObject(value)) return undefined;
  const keys = new Map<string, KeyEntry>();
  for (const keyId of Object.keys(value).sort()) {
    const entry = value[keyId];
    if (!keyIdForm.test(keyId) || !isObject(entry)) return undefined;
    const key = entry['key'];
    if (typeof key !== 'string' || decodeBase64(key)?.length !== 32) return undefined;
    keys.set(keyId, { ...entry, key });
  }
  return keys;
}

/** Null for what is no key. */
function recoveryOf(value: JsonValue | undefined): Card['recoveryKey'] | null {
  if (value === undefined) return undefined;
  const { key_id: keyId, key } = isObject(value) ? value : {};
  if (typeof keyId !== 'string' || !keyIdForm.test(keyId)) return null;
  return typeof key === 'string' && decodeBase64(key)?.length === 32 ? { keyId, key } : null;
}

function linkOf(value: JsonValue | undefined): { urls: string[]; dial: Dial } | undefined {
  if (!isObject(value)) return undefined;
  const { urls, dial } = value;
  if (typeof dial !== 'string' || !dials.includes(dial) || !Array.isArray(urls) || urls.length > 8)
    return undefined;
  const texts: string[] = [];
  for (const url of urls) {
    if (typeof url !== 'string' || !isLinkUrl(url)) return undefined;
    texts.push(url);
  }
  return { urls: texts, dial: dial as Dial }; // one of `dials`, checked above
}

function isLinkUrl(text: string): boolean {
  if (text.length > 2048 || !URL.canParse(text)) return false;
  const url = new URL(text);
  return (url.protocol === 'ws:' || url.protocol === 'wss:') && url.username === '' && url.password === '';
}
