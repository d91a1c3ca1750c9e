import { createHash } from 'node:crypto';
import { decodeBase64 } from '../../protocol/base64.ts';

const digits = 28;

/**
 * The fingerprint of a signing key (unpadded base64), to be read out by phone: 30 digits in groups of five.
 * 28 digits come from a hash of the key; the last two are check digits (ISO 7064, MOD 97-10), so that one
 * misheard digit or two swapped ones are noticed. Throws a TypeError for something that is not base64.
 */
export function fingerprint(publicKey: string): string {
  const key = decodeBase64(publicKey);
  if (key === undefined) throw new TypeError('A public key is unpadded base64');
  const hash = createHash('sha256').update('archipelago fingerprint 1\n').update(key).digest('hex');
  const number = (BigInt(`0x${hash}`) % 10n ** BigInt(digits)).toString().padStart(digits, '0');
  const check = 98n - ((BigInt(number) * 100n) % 97n);
  return grouped(number + check.toString().padStart(2, '0'));
}

/**
 * Reads a fingerprint as people write it (spaces and dashes ignored) and gives it in its usual form;
 * undefined if it is not 30 digits or the check digits do not fit.
 */
export function readFingerprint(text: string): string | undefined {
  const plain = text.replace(/[\s-]/g, '');
  if (!/^[0-9]{30}$/.test(plain) || BigInt(plain) % 97n !== 1n) return undefined;
  return grouped(plain);
}

function grouped(plain: string): string {
  return (plain.match(/.{5}/g) ?? []).join(' ');
}
