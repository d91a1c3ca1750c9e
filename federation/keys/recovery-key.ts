import { decodeBase64, encodeBase64 } from '../../protocol/base64.ts';
import { type SigningKey, signingKeyFromSeed } from '../../protocol/signing.ts';
import { fingerprint } from './fingerprint.ts';

const begin = '-----BEGIN ARCHIPELAGO RECOVERY KEY-----';
const end = '-----END ARCHIPELAGO RECOVERY KEY-----';
const seedLength = 32;

/** The recovery key on paper: whoever has this text can give a server's partners another signing key. */
export function recoveryKeyText(serverName: string, key: SigningKey): string {
  const [, version = ''] = key.keyId.split(':');
  const lines = [
    begin,
    `Server:      ${serverName}`,
    `Fingerprint: ${fingerprint(key.publicKey)}`,
    `Key:         ed25519 ${version} ${encodeBase64(key.seed)}`,
    end,
  ];
  return `${lines.join('\n')}\n`;
}

/** Reads that text; a sentence for the admin if it is not one, or not of this server. */
export function readRecoveryKey(text: string, serverName: string): SigningKey | string {
  const lines = text
    .trim()
    .split(/\r?\n/)
    .map((line) => line.trim());
  if (lines[0] !== begin || lines.at(-1) !== end)
    return `This is not a recovery key: it begins with "${begin}" and ends with "${end}"`;
  const field = (name: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const server = field('Server');
  if (server !== serverName)
    return `This is the recovery key of ${server ?? 'no server'}, not of ${serverName}`;
  const [algorithm, version = '', seed = ''] = field('Key')?.split(/\s+/) ?? [];
  const bytes = decodeBase64(seed);
  const isKey = algorithm === 'ed25519' && /^[a-zA-Z0-9_]{1,64}$/.test(version);
  if (!isKey || bytes?.length !== seedLength)
    return 'The recovery key cannot be read: its line "Key" is damaged';
  const key = signingKeyFromSeed(`ed25519:${version}`, bytes);
  return field('Fingerprint') === fingerprint(key.publicKey)
    ? key
    : 'The recovery key was copied wrongly: its fingerprint does not fit';
}
