import { pino } from 'pino';
import type { Config } from '../../config/config.ts';
import { waitingIn } from '../../federation/outbox/waiting.ts';
import { loadOverlays, PartnerActions } from '../../federation/partner-actions.ts';
import { PartnerRegistry } from '../../federation/partners.ts';
import { openDatabase } from '../../storage/database.ts';
import { Accounts } from '../auth/accounts.ts';
import { systemClock, systemRandom } from '../runtime.ts';
import type { Administration, PartnerSummary } from './administration.ts';
import { DirectAdministration } from './direct-administration.ts';

/**
 * Opens the database of an island that does not run, for one command. Rejects with StorageError `locked` if
 * somebody else has it.
 */
export async function openStopped(
  config: Config,
): Promise<{ administration: Administration; close(): Promise<void> }> {
  const { serverName } = config;
  const clock = systemClock;
  const random = systemRandom;
  const log = pino({ level: 'silent' });
  const db = await openDatabase(config.database, { log, clock, random });
  try {
    await db.metadata.claimServerName(serverName);
  } catch (error) {
    await db.close();
    throw error;
  }
  const overlays = await loadOverlays(db);
  const registry = new PartnerRegistry({ serverName, clock, partners: config.partners, overlays });
  const actions = new PartnerActions({ partners: registry, db, clock, log });
  const partners = async (): Promise<PartnerSummary[]> => {
    const waiting = await waitingIn(db.outbox);
    return registry.all().map((partner) => ({
      server_name: partner.serverName,
      state: registry.isActive(partner.serverName) ? 'active' : 'suspended',
      link: { state: 'down', since: null, dialled_by: null },
      outbox: waiting(partner.serverName),
    }));
  };
  const accounts = new Accounts({ serverName, db, clock, random });
  return {
    administration: new DirectAdministration({ db, accounts, partners, actions }),
    close: () => db.close(),
  };
}
