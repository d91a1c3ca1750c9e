import { decodeBase64 } from '../protocol/base64.ts';
import { isObject, type JsonObject, parseJson } from '../protocol/json.ts';
import { verifyJson } from '../protocol/signing.ts';
import { type Card, type CardReading, cardBegin, cardEnd, isTextOf } from './card.ts';
import { parseCard } from './card-parse.ts';

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
  if (!isTextOf(text, body))
    return { ok: false, reason: 'The card was altered: its text is not the text that was signed' };
  if (now >= card.expires)
    return {
      ok: false,
      reason: `The card expired on ${new Date(card.expires).toISOString()}: ask for a new one`,
    };
  return { ok: true, card };
}

function signedPart(text: string): JsonObject | string {
  if (text.length > maxCardBytes) return 'The file is too large to be a partner card';
  const lines = text.trim().split(/\r?\n/);
  if (lines[0] !== cardBegin) return `This is not a partner card: the line "${cardBegin}" is missing`;
  if (lines.at(-1) !== cardEnd) return `The card is cut off: the line "${cardEnd}" is missing`;
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
  return { kind: card.issued === inForce.issued ? 'same' : 'newer' };
}

function hasSameKeys(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([keyId, key]) => b.get(keyId) === key);
}
