import { decodeBase64, encodeBase64 } from '../../protocol/base64.ts';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import { isObject, type JsonObject, parseJson } from '../../protocol/json.ts';
import { type SigningKey, signJson, verifyJson } from '../../protocol/signing.ts';
import { fingerprint } from '../keys/fingerprint.ts';
import { type Card, type Dial, parseCard } from './card-body.ts';

export interface CardInput {
  readonly serverName: string;
  readonly signingKeys: readonly SigningKey[];
  readonly oldVerifyKeys?: ReadonlyMap<string, { readonly key: string; readonly validUntil: number }>;
  readonly urls: readonly string[];
  readonly dial?: Dial;
  readonly software: { readonly name: string; readonly version: string };
  readonly organization?: string;
  readonly policy?: JsonObject;
  readonly recoveryKey?: { readonly keyId: string; readonly key: string } | undefined;
  /** Milliseconds since the epoch. */
  readonly issued: number;
  /** Milliseconds since the epoch; default: 30 days after `issued`. */
  readonly expires?: number;
}

export type CardReading =
  | { readonly ok: true; readonly card: Card }
  | { readonly ok: false; readonly reason: string };

const cardBegin = '-----BEGIN ARCHIPELAGO PARTNER CARD-----';
const cardEnd = '-----END ARCHIPELAGO PARTNER CARD-----';

export { fingerprint } from '../keys/fingerprint.ts';
export type { Card } from './card-body.ts';

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
  const { recoveryKey } = input;
  if (recoveryKey !== undefined) body['recovery_key'] = { key_id: recoveryKey.keyId, key: recoveryKey.key };
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
    ...(card.recoveryKey === undefined
      ? []
      : [`Recovery:    ${fingerprint(card.recoveryKey.key)} (${card.recoveryKey.keyId})`]),
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
function isTextOf(text: string, body: JsonObject): boolean {
  return cardText(body).trimEnd() === text.replace(/\r\n/g, '\n').trim();
}

function oneLine(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}

const maxCardBytes = 64 * 1024;

/**
 * Reads a partner card and checks it: form, every key's signature, that no byte of the text differs, and
 * that it has not expired at `now` (milliseconds). The reason of a refusal is a sentence for the admin.
 */
export function readCard(text: string, { now }: { now: number }): CardReading {
  const body = signedPart(text);
  if (typeof body === 'string') return { ok: false, reason: body };
  const card = parseCard(body);
  if (typeof card === 'string') return { ok: false, reason: card };
  for (const [keyId, key] of card.verifyKeys)
    if (!verifyJson(body, card.serverName, keyId, key))
      return { ok: false, reason: `The card was altered: the signature by ${keyId} does not fit` };
  if (!isTextOf(text, body) || !hasPlainSignatures(body, card))
    return { ok: false, reason: 'The card was altered: its text is not the text that was signed' };
  if (now >= card.expires)
    return {
      ok: false,
      reason: `The card expired on ${new Date(card.expires).toISOString()}: ask for a new one`,
    };
  return { ok: true, card };
}

/** The signatures are not signed themselves: exactly one of each key, in the one spelling that it has. */
function hasPlainSignatures(body: JsonObject, card: Card): boolean {
  const all = body['signatures'];
  const own = isObject(all) && Object.keys(all).length === 1 ? all[card.serverName] : undefined;
  if (!isObject(own) || Object.keys(own).length !== card.verifyKeys.size) return false;
  return Object.values(own).every((signature) => {
    const bytes = typeof signature === 'string' ? decodeBase64(signature) : undefined;
    return bytes !== undefined && encodeBase64(bytes) === signature;
  });
}

function signedPart(text: string): JsonObject | string {
  if (text.length > maxCardBytes) return 'The file is too large to be a partner card';
  const lines = text.trim().split(/\r?\n/);
  if (!lines.includes(cardBegin)) return `This is not a partner card: the line "${cardBegin}" is missing`;
  if (!lines.includes(cardEnd)) return `The card is cut off: the line "${cardEnd}" is missing`;
  // Nothing may stand beside what is signed, where an admin could take it for a word of the card.
  if (lines[0] !== cardBegin || lines.at(-1) !== cardEnd)
    return `There is other text around the card: leave only what is from the line "${cardBegin}" to the line "${cardEnd}"`;
  const blank = lines.indexOf('');
  const bytes = blank < 0 ? undefined : decodeBase64(lines.slice(blank + 1, -1).join(''));
  if (bytes === undefined) return 'The card was altered: its signed part cannot be read';
  try {
    const body = parseJson(bytes, { maxDepth: 16 });
    if (isObject(body)) return body;
  } catch {
    // Falls through: the admin needs to know that the card is broken, not which byte.
  }
  return 'The card was altered: its signed part cannot be read';
}

/** What is known of a partner when a card of it arrives. */
export interface CardInForce {
  /** When the card in force was issued (milliseconds), if the entry came from a card. */
  readonly issued?: number | undefined;
  /** The pinned keys by key id. */
  readonly verifyKeys: ReadonlyMap<string, string>;
  /** The pinned recovery keys by key id. */
  readonly recoveryKeys?: ReadonlyMap<string, string>;
}

export type CardJudgement =
  | { readonly kind: 'new' | 'same' | 'newer' }
  /** `other-keys`: needs the admin's word (`--replace-keys`). */
  | { readonly kind: 'older' | 'other-keys'; readonly reason: string };

/** Compares a card that was read with what is in force for its server. */
export function judgeCard(card: Card, inForce: CardInForce | undefined): CardJudgement {
  if (inForce === undefined) return { kind: 'new' };
  if (inForce.issued !== undefined && card.issued < inForce.issued)
    return {
      kind: 'older',
      reason: `The card is older than the one in force (${new Date(inForce.issued).toISOString()})`,
    };
  if (!hasSameKeys(card.verifyKeys, inForce.verifyKeys))
    return {
      kind: 'other-keys',
      reason: `The card of ${card.serverName} has other signing keys than the pinned ones; compare the fingerprints, then use --replace-keys`,
    };
  // Whoever stole a signing key could issue a card: the recovery key is there to beat them.
  const { recoveryKeys } = inForce;
  const recovery = card.recoveryKey;
  if (recovery !== undefined && recoveryKeys !== undefined && recoveryKeys.size > 0)
    if (recoveryKeys.get(recovery.keyId) !== recovery.key)
      return {
        kind: 'other-keys',
        reason: `The card of ${card.serverName} has another recovery key than the pinned one; compare the fingerprints, then use --replace-keys`,
      };
  return { kind: card.issued === inForce.issued ? 'same' : 'newer' };
}

function hasSameKeys(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([keyId, key]) => b.get(keyId) === key);
}
