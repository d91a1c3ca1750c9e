import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config/config.ts';
import {
  emptyRecord,
  type KeyRecord,
  readRecord,
  recordFor,
  recordText,
} from '../federation/keys/key-record.ts';
import { OwnKeys } from '../federation/keys/own-keys.ts';
import { generateLinkKey, type LinkKeyPair, linkKeyFromSeed } from '../federation/link/link-manager.ts';
import { decodeBase64, encodeBase64 } from '../protocol/base64.ts';
import type { Random } from '../protocol/runtime.ts';
import { generateSigningKey, type SigningKey, signingKeyFromSeed } from '../protocol/signing.ts';
import { AdminError, systemCode } from './admin-error.ts';
import { replaceFile, writeNewFile } from './files.ts';

/** The keys of an island. Whoever has them can speak in its name. */
export interface IslandKeys {
  /** Always the one in use: see `OwnKeys`. */
  readonly signingKey: SigningKey;
  readonly own: OwnKeys;
  readonly linkKey: LinkKeyPair;
}

const seedLength = 32;

/**
 * Reads the island's keys; makes those that are not there yet. A file that exists is never written again, whatever
 * is in it: a signing key that is lost cannot be had back. Throws AdminError for one that cannot be read, is
 * damaged, or that others on this machine may read.
 */
export async function loadKeys(
  config: Pick<Config, 'signingKeyPath' | 'linkKeyPath'>,
  random: Random,
): Promise<IslandKeys> {
  const own = await loadOwnKeys(config, random);
  const linkKey = await loadLinkKey(config.linkKeyPath, random);
  return { signingKey: own.signingKey, own, linkKey };
}

/** The signing key, made if it is not there yet, and what is kept of those before it. */
export async function loadOwnKeys(
  { signingKeyPath }: Pick<Config, 'signingKeyPath'>,
  random: Random,
): Promise<OwnKeys> {
  const current = await loadSigningKey(signingKeyPath, random);
  const record = await loadKeyRecord(signingKeyPath);
  return new OwnKeys(current, recordFor(record, current.keyId));
}

/** The file beside the signing key that says what was before it; nothing in it is secret. */
function recordPath(signingKeyPath: string): string {
  return join(dirname(signingKeyPath), 'key-record.json');
}

async function loadKeyRecord(signingKeyPath: string): Promise<KeyRecord> {
  const path = recordPath(signingKeyPath);
  try {
    const record = readRecord(await readFile(path, 'utf8'));
    if (record !== undefined) return record;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return emptyRecord;
    throw explained(error, path, 'read');
  }
  throw new AdminError(
    `The file ${path} is damaged. It was not touched: restore it from a backup. Without it partners that are offline do not learn of a rotation; then send them a new card.`,
  );
}

export async function writeKeyRecord(signingKeyPath: string, record: KeyRecord): Promise<void> {
  await replaceFile(recordPath(signingKeyPath), recordText(record));
}

/** Puts another key in the place of the signing key, at once and for good: the one before it is gone. */
export async function writeSigningKey(signingKeyPath: string, key: SigningKey): Promise<void> {
  await replaceFile(signingKeyPath, signingKeyText(key));
}

function signingKeyText(key: SigningKey): string {
  return `ed25519 ${key.keyId.slice('ed25519:'.length)} ${encodeBase64(key.seed)}\n`;
}

/** A new key under an id that was never used before. */
export function newSigningKey(random: Random): SigningKey {
  return generateSigningKey(`ed25519:a_${random.bytes(3).toString('hex')}`, random);
}

/** The signing key, in a file of one line as Synapse writes it: `ed25519 a_XXXX SEED`. */
export async function loadSigningKey(path: string, random: Random): Promise<SigningKey> {
  const text = await readOrMake(path, () => signingKeyText(newSigningKey(random)));
  return signingKeyIn(path, text);
}

/** The signing key if there is one already: nothing is made. */
export async function readSigningKey(path: string): Promise<SigningKey | undefined> {
  try {
    return signingKeyIn(path, await readPrivate(path));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw explained(error, path, 'read');
  }
}

function signingKeyIn(path: string, text: string): SigningKey {
  const words = wordsOf(text);
  const [algorithm, version, seed] = words;
  const bytes = decodeBase64(seed ?? '');
  const isKey = words.length === 3 && algorithm === 'ed25519' && /^[a-zA-Z0-9_]{1,64}$/.test(version ?? '');
  if (!isKey || bytes?.length !== seedLength) throw damaged(path, 'ed25519 VERSION SEED');
  return signingKeyFromSeed(`ed25519:${version}`, bytes);
}

/** The static key of the link's handshake, in a file of one line: `x25519 SEED`. */
async function loadLinkKey(path: string, random: Random): Promise<LinkKeyPair> {
  const text = await readOrMake(path, () => {
    const { privateKey } = generateLinkKey(random);
    // The raw 32 bytes are the last of the DER form (RFC 8410).
    const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-seedLength);
    return `x25519 ${encodeBase64(seed)}\n`;
  });
  const [algorithm, seed, ...more] = wordsOf(text);
  const bytes = decodeBase64(seed ?? '');
  if (algorithm !== 'x25519' || more.length > 0 || bytes?.length !== seedLength)
    throw damaged(path, 'x25519 SEED');
  return linkKeyFromSeed(bytes);
}

function wordsOf(text: string): string[] {
  return text.trim().split(/\s+/);
}

function damaged(path: string, form: string): AdminError {
  return new AdminError(
    `The key file ${path} is damaged: it should hold one line, "${form}". It was not touched: restore it from a backup.`,
  );
}

async function readOrMake(path: string, make: () => string): Promise<string> {
  try {
    return await readPrivate(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw explained(error, path, 'read');
  }
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // Where another process was first, its key is read.
    await writeNewFile(path, make());
    return await readPrivate(path);
  } catch (error) {
    throw explained(error, path, 'created');
  }
}

async function readPrivate(path: string): Promise<string> {
  const { mode } = await stat(path);
  if ((mode & 0o007) !== 0)
    throw new AdminError(
      `The key file ${path} can be read by everybody on this machine. Take it back with: chmod 600 ${path}`,
    );
  return readFile(path, 'utf8');
}

function explained(error: unknown, path: string, what: 'read' | 'created'): unknown {
  if (error instanceof AdminError || systemCode(error) === undefined) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new AdminError(`The key file ${path} cannot be ${what}: ${reason}`, { cause: error });
}
