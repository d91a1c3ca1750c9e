import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Clock, Random } from '../../protocol/runtime.ts';
import type { RemoteRooms } from '../../rooms/ports.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Database } from '../../storage/database.ts';
import type { AdminContext } from '../admin/context.ts';
import type { Accounts } from '../auth/accounts.ts';
import type { MediaStore } from '../media/media-store.ts';
import type { LocalNotices } from '../notices/local-notices.ts';
import type { ReceiptService } from '../sync/receipts.ts';
import type { SyncService } from '../sync/sync-service.ts';
import type { TypingService } from '../sync/typing-service.ts';

/** What the handlers of the client API take. Only the composition root makes one. */
export interface ClientApiDeps {
  readonly config: Pick<
    Config,
    | 'serverName'
    | 'publicBaseurl'
    | 'enableRegistration'
    | 'registrationSharedSecret'
    | 'maxUploadSize'
    | 'defaultRoomVersion'
    | 'encryption'
  >;
  readonly db: Database;
  readonly engine: RoomEngine;
  /** Timelines as clients see them. */
  readonly localNotices: LocalNotices;
  readonly remote: RemoteRooms;
  readonly accounts: Accounts;
  readonly media: MediaStore;
  readonly sync: SyncService;
  readonly receipts: ReceiptService;
  readonly typing: TypingService;
  /** For the admin API; nothing until the island is ready. */
  readonly admin: () => AdminContext | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}
