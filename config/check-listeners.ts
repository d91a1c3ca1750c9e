import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { readSecret } from './check-paths.ts';
import type { ListenerConfig, ListenerTls } from './config.ts';
import type { Draft } from './draft.ts';
import { errorMessage } from './problem.ts';
import type { RawListener } from './schema.ts';

/** Checks the listeners against each other and their files, and gives them their final form. */
export async function checkListeners(
  draft: Draft,
  raw: readonly RawListener[],
  now: number,
): Promise<ListenerConfig[]> {
  const taken = new Map<string, number>();
  const listeners: ListenerConfig[] = [];
  for (const [index, entry] of raw.entries()) {
    const bindAddresses = entry.bind_addresses ?? ['127.0.0.1'];
    for (const address of bindAddresses) {
      const key = `${address} port ${entry.port}`;
      const first = taken.get(key);
      if (first !== undefined)
        draft.reportAt(['listeners', index], `listeners[${first}] listens on ${key} already`);
      taken.set(key, first ?? index);
    }
    if (entry.x_forwarded === true && (entry.trusted_proxies ?? []).length === 0)
      draft.reportAt(
        ['listeners', index, 'x_forwarded'],
        'x_forwarded needs to know whom to believe',
        'add trusted_proxies: [127.0.0.1]',
      );
    const tls = await tlsOf(draft, index, entry.tls, now);
    listeners.push({
      port: entry.port,
      bindAddresses,
      ...(tls === undefined ? {} : { tls }),
      xForwarded: entry.x_forwarded ?? false,
      trustedProxies: entry.trusted_proxies ?? [],
      resources: entry.resources ?? ['client', 'federation', 'link'],
    });
  }
  return listeners;
}

/** Reads both files once, so that what was checked is what is served. */
async function tlsOf(
  draft: Draft,
  index: number,
  raw: RawListener['tls'],
  now: number,
): Promise<ListenerTls | undefined> {
  if (raw === undefined) return undefined;
  const at = (key: keyof typeof raw) => ['listeners', index, 'tls', key] as const;
  const name = (key: keyof typeof raw): string => `listeners[${index}].tls.${key}`;
  const file = draft.fileOf('listeners');
  const certificatePath = draft.pathIn(file, raw.certificate_path);
  const privateKeyPath = draft.pathIn(file, raw.private_key_path);
  const certificate = await readText(certificatePath);
  const leaf = certificateIn(certificate);
  if (leaf === undefined)
    draft.reportAt(
      at('certificate_path'),
      `${name('certificate_path')} ${certificate === undefined ? 'names a file that this user cannot read' : 'is not a file with certificates in PEM'}: ${certificatePath}`,
    );
  const read = await readSecret(privateKeyPath);
  if (!('secret' in read)) {
    draft.reportAt(at('private_key_path'), `${name('private_key_path')} ${read.message}`, read.suggestion);
    return undefined;
  }
  const privateKey = privateKeyIn(read.secret);
  if (privateKey === undefined)
    draft.reportAt(
      at('private_key_path'),
      `${name('private_key_path')} is not a private key in PEM without a passphrase: ${privateKeyPath}`,
    );
  if (certificate === undefined || leaf === undefined || privateKey === undefined) return undefined;
  if (!leaf.checkPrivateKey(privateKey)) {
    draft.reportAt(
      at('private_key_path'),
      `${name('private_key_path')} is not the key of the certificate: ${privateKeyPath}`,
    );
    return undefined;
  }
  const objection = objectionToContext(certificate, read.secret);
  if (objection !== undefined)
    draft.reportAt(at('certificate_path'), `${name('certificate_path')} cannot be used: ${objection}`);
  const end = Date.parse(leaf.validTo);
  if (end <= now)
    draft.warn(
      file,
      file.offsetOf(at('certificate_path')),
      `the certificate has ended on ${new Date(end).toISOString().slice(0, 10)}: clients will refuse it`,
      'renew it, then archipelago reload',
    );
  return { certificatePath, privateKeyPath, certificate, privateKey: read.secret };
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

function certificateIn(pem: string | undefined): X509Certificate | undefined {
  try {
    return pem === undefined ? undefined : new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function privateKeyIn(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** What TLS itself has against the pair, such as a key that is too short. */
function objectionToContext(cert: string, key: string): string | undefined {
  try {
    createSecureContext({ cert, key });
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
