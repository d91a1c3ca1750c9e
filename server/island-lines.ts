import { createHash } from 'node:crypto';
import type { Config } from '../config/config.ts';
import type { Database } from '../storage/database.ts';
import { version } from './version.ts';

const runningKey = 'audit_running';
/** Settings that must not even be guessed at by their digest. */
const secretKeys = /secret|password|token|privateKey|^url$/i;

/** The audit log's line of a start; it says whether the run before it ended as it should. */
export async function recordStart(db: Database, config: Config): Promise<void> {
  const { audit, metadata } = db;
  const wasKilled = (await metadata.get(runningKey)) === 'yes';
  const detail = { version, configuration: configDigest(config), after_a_crash: wasKilled };
  await audit.append(
    [{ action: 'island.start', outcome: 'done', actor: config.serverName, detail }],
    metadata.put(runningKey, 'yes'),
  );
}

export async function recordStop(db: Database, config: Config): Promise<void> {
  const { audit, metadata } = db;
  const detail = { version, configuration: configDigest(config) };
  await audit.append(
    [{ action: 'island.stop', outcome: 'done', actor: config.serverName, detail }],
    metadata.put(runningKey, 'no'),
  );
}

/** SHA-256 of the effective configuration without its secrets, in Base64: equal ones are equal configurations. */
function configDigest(config: Config): string {
  const text = JSON.stringify(config, (key, value: unknown) => (secretKeys.test(key) ? undefined : value));
  return createHash('sha256').update(text).digest('base64');
}
