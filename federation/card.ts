import { encodeBase64 } from '../protocol/base64.ts';
import { canonicalJson } from '../protocol/canonical-json.ts';
import type { JsonObject } from '../protocol/json.ts';
import { type SigningKey, signJson } from '../protocol/signing.ts';
import { parseCard } from './card-parse.ts';
import { fingerprint } from './fingerprint.ts';

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
  /** Of the first key in the order of key ids; what is read out by phone. */
  readonly fingerprint: string;
}

export interface CardInput {
  readonly serverName: string;
  readonly signingKeys: readonly SigningKey[];
  readonly oldVerifyKeys?: ReadonlyMap<string, { readonly key: string; readonly validUntil: number }>;
  readonly urls: readonly string[];
  readonly dial?: Dial;
  readonly software: { readonly name: string; readonly version: string };
  readonly organization?: string;
  readonly policy?: JsonObject;
  /** Milliseconds since the epoch. */
  readonly issued: number;
  /** Milliseconds since the epoch; default: 30 days after `issued`. */
  readonly expires?: number;
}

export type CardReading =
  | { readonly ok: true; readonly card: Card }
  | { readonly ok: false; readonly reason: string };

export const cardBegin = '-----BEGIN ARCHIPELAGO PARTNER CARD-----';
export const cardEnd = '-----END ARCHIPELAGO PARTNER CARD-----';

const defaultLifetimeMs = 30 * 24 * 3600 * 1000;

/** Makes a signed partner card: a text block that ends in a line feed. */
export function makeCard(input: CardInput): string {
  const { serverName, signingKeys, issued } = input;
  if (signingKeys.length === 0) throw new TypeError('A card needs a signing key');
  const oldKeys: JsonObject = {};
  for (const [keyId, old] of input.oldVerifyKeys ?? [])
    oldKeys[keyId] = { key: old.key, expired_ts: old.validUntil };
  let body: JsonObject = {
    card_version: 1,
    server_name: serverName,
    issued_ts: issued,
    expires_ts: input.expires ?? issued + defaultLifetimeMs,
    verify_keys: Object.fromEntries(signingKeys.map((key) => [key.keyId, { key: key.publicKey }])),
    old_verify_keys: oldKeys,
    link: { urls: [...input.urls], dial: input.dial ?? 'both' },
    software: { ...input.software },
    policy: input.policy ?? {},
  };
  if (input.organization !== undefined) body['organization'] = input.organization;
  for (const key of signingKeys) body = signJson(body, serverName, key);
  return cardText(body);
}

/**
 * The one text of a signed card. The lines for people come out of the signed part, so that a reader can
 * demand that the text it was given is exactly this one: nobody can change what people read without
 * changing what is signed.
 */
function cardText(body: JsonObject): string {
  const card = parseCard(body);
  if (typeof card === 'string') throw new TypeError(card);
  const lines = [
    cardBegin,
    `Server:      ${card.serverName}`,
    ...(card.organization === undefined ? [] : [`Company:     ${oneLine(card.organization)}`]),
    ...[...card.verifyKeys].map(([keyId, key]) => `Fingerprint: ${fingerprint(key)} (${keyId})`),
    ...card.urls.map((url) => `Link:        ${oneLine(url)}`),
    `Dials:       ${card.dial}`,
    `Software:    ${oneLine(`${card.software.name} ${card.software.version}`)}`,
    `Issued:      ${new Date(card.issued).toISOString()}`,
    `Expires:     ${new Date(card.expires).toISOString()}`,
    '',
    ...(encodeBase64(Buffer.from(canonicalJson(body))).match(/.{1,72}/g) ?? []),
    cardEnd,
  ];
  return `${lines.join('\n')}\n`;
}

/** Is this exactly the text that belongs to that signed card? Line ends and outer blanks may differ. */
export function isTextOf(text: string, body: JsonObject): boolean {
  return cardText(body).trimEnd() === text.replace(/\r\n/g, '\n').trim();
}

function oneLine(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
