import { pino } from 'pino';
import type { Config } from '../../config/config.ts';
import { Approvals } from '../../federation/approvals/approvals.ts';
import { LocalPeople } from '../../federation/border/people.ts';
import { loadOverlays, PartnerActions } from '../../federation/partners/actions.ts';
import { PartnerRegistry } from '../../federation/partners/registry.ts';
import { openDatabase } from '../../storage/database.ts';
import { commandLine, direct } from '../admin/perform.ts';
import type { Administration } from '../admin/table.ts';
import { Accounts } from '../auth/accounts.ts';
import { loadOwnKeys } from '../keys.ts';
import { OwnKeyService } from '../own-key-service.ts';
import { systemClock, systemRandom } from '../runtime.ts';

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
    const overlays = await loadOverlays(db);
    const partners = new PartnerRegistry({ serverName, clock, partners: config.partners, overlays });
    const own = await loadOwnKeys(config, random);
    const ownKeys = new OwnKeyService({ config, own, db, clock, random, log });
    await ownKeys.noteAtStart();
    const context = {
      config,
      db,
      clock,
      accounts: new Accounts({ serverName, db, clock, random, system: config.serverNotices }),
      people: new LocalPeople(serverName, await db.departments.all()),
      partners,
      approvals: await Approvals.load({ db, clock, log }),
      partnerActions: new PartnerActions({ partners, db, clock, log }),
      ownKeys,
      island: undefined,
    };
    return { administration: direct(context, commandLine), close: () => db.close() };
  } catch (error) {
    await db.close();
    throw error;
  }
}
