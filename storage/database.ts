import type { Logger } from 'pino';
import type { DatabaseConfig } from '../config/database-config.ts';
import type { Clock, FailPoint, Random } from '../protocol/runtime.ts';
import { AuditLog } from './audit/audit-log.ts';
import type { Reader } from './connection.ts';
import { translateError } from './errors.ts';
import { BlockAllocator, type IdAllocator, type IdKind, idKinds, reserveBlock } from './id-allocator.ts';
import type { DatabaseKind } from './schema/entities.ts';
import type { Sources } from './sources/open-source.ts';
import { openPostgres } from './sources/postgres.ts';
import { openSqlite } from './sources/sqlite.ts';
import { AccountDataStore } from './stores/account-data-store.ts';
import { AliasStore } from './stores/alias-store.ts';
import { ApprovalStore } from './stores/approval-store.ts';
import { DecisionStore } from './stores/decision-store.ts';
import { DepartmentStore } from './stores/department-store.ts';
import { DeviceStore } from './stores/device-store.ts';
import { EventStore } from './stores/event-store.ts';
import { FilterStore } from './stores/filter-store.ts';
import { InboxStore } from './stores/inbox-store.ts';
import { LocalNoticeStore } from './stores/local-notice-store.ts';
import { MediaStore } from './stores/media-store.ts';
import { MembershipStore } from './stores/membership-store.ts';
import { MetadataStore } from './stores/metadata-store.ts';
import { OutboxStore } from './stores/outbox-store.ts';
import { PartnerOverlayStore } from './stores/partner-overlay-store.ts';
import { PartnerStateStore } from './stores/partner-state-store.ts';
import { PartnerWatchStore } from './stores/partner-watch-store.ts';
import { QuarantineStore } from './stores/quarantine-store.ts';
import { ReceiptStore } from './stores/receipt-store.ts';
import { RoleStore } from './stores/role-store.ts';
import { RoomDriftStore } from './stores/room-drift-store.ts';
import { RoomStore } from './stores/room-store.ts';
import { ServerNoticeStore } from './stores/server-notice-store.ts';
import { StateStore } from './stores/state-store.ts';
import { UserStore } from './stores/user-store.ts';
import { LocalStreams, type Streams } from './streams.ts';
import { GroupCommitWriter, type Writer } from './writer.ts';

export type { DatabaseConfig } from '../config/database-config.ts';
export { DuplicateRow, StorageError } from './errors.ts';

export interface DatabaseDeps {
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly failPoint?: FailPoint | undefined;
  /** So many parsed events are kept in memory. */
  readonly cachedEvents?: number | undefined;
}

/** Everything that is kept. What changes goes through the writer; the stores read, and make what it writes. */
export interface Database {
  readonly kind: DatabaseKind;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly streams: Streams;
  readonly ids: IdAllocator;
  readonly events: EventStore;
  readonly rooms: RoomStore;
  readonly states: StateStore;
  readonly memberships: MembershipStore;
  readonly outbox: OutboxStore;
  readonly inbox: InboxStore;
  readonly users: UserStore;
  readonly roles: RoleStore;
  readonly devices: DeviceStore;
  readonly accountData: AccountDataStore;
  readonly receipts: ReceiptStore;
  readonly filters: FilterStore;
  readonly aliases: AliasStore;
  readonly media: MediaStore;
  readonly partnerStates: PartnerStateStore;
  readonly partnerOverlays: PartnerOverlayStore;
  readonly quarantine: QuarantineStore;
  readonly approvals: ApprovalStore;
  readonly roomDrifts: RoomDriftStore;
  readonly departments: DepartmentStore;
  readonly localNotices: LocalNoticeStore;
  readonly serverNotices: ServerNoticeStore;
  readonly partnerWatch: PartnerWatchStore;
  readonly decisions: DecisionStore;
  readonly metadata: MetadataStore;
  readonly audit: AuditLog;
  /** Writes what was submitted, refuses everything after, closes, and frees the lock. */
  close(): Promise<void>;
}

const defaultCachedEvents = 10_000;

/**
 * Opens the database, makes it if it is not there, and brings its schema up to date. Throws StorageError with
 * a message for the administrator when it cannot be used; then nothing was changed.
 */
export async function openDatabase(config: DatabaseConfig, deps: DatabaseDeps): Promise<Database> {
  const log = deps.log.child({ sub: 'storage' });
  const sources = config.type === 'sqlite' ? await openSqlite(config) : await openPostgres(config, log);
  try {
    return await assemble(sources, { ...deps, log });
  } catch (error) {
    await sources.close();
    throw translateError(error, sources.where);
  }
}

async function assemble(sources: Sources, deps: DatabaseDeps): Promise<Database> {
  const { kind, where } = sources;
  const reader = sources.reader((error) => translateError(error, where));
  const [last] = await reader.query<{ next: number }>("SELECT next FROM sequences WHERE kind = 'position'");
  const streams = new LocalStreams(deps.log, (last?.next ?? 1) - 1);
  const devices = new DeviceStore(reader);
  const writer = new GroupCommitWriter({
    connect: sources.connect,
    where,
    streams,
    log: deps.log,
    failPoint: deps.failPoint,
    changed: (tables) => devices.tablesChanged(tables),
  });
  const first = await writer.transact('reserve numbers', async (tx) => {
    const numbers = new Map<IdKind, number>();
    for (const idKind of idKinds) numbers.set(idKind, await reserveBlock(tx, idKind));
    return numbers;
  });
  const ids = new BlockAllocator(first, (idKind) =>
    writer.transact('reserve numbers', (tx) => reserveBlock(tx, idKind)),
  );
  const audit = new AuditLog({ reader, writer, clock: deps.clock, log: deps.log });
  return {
    kind,
    reader,
    writer,
    streams,
    ids,
    events: new EventStore(reader, deps.cachedEvents ?? defaultCachedEvents),
    rooms: new RoomStore(reader),
    states: new StateStore(reader),
    memberships: new MembershipStore(reader),
    outbox: new OutboxStore(reader),
    inbox: new InboxStore(reader),
    users: new UserStore(reader),
    roles: new RoleStore(reader),
    devices,
    accountData: new AccountDataStore(reader),
    receipts: new ReceiptStore(reader),
    filters: new FilterStore(reader),
    aliases: new AliasStore(reader),
    media: new MediaStore(reader),
    partnerStates: new PartnerStateStore(reader),
    partnerOverlays: new PartnerOverlayStore(reader),
    quarantine: new QuarantineStore(reader),
    approvals: new ApprovalStore(reader),
    roomDrifts: new RoomDriftStore(reader),
    departments: new DepartmentStore(reader),
    localNotices: new LocalNoticeStore(reader),
    serverNotices: new ServerNoticeStore(reader),
    partnerWatch: new PartnerWatchStore(reader),
    decisions: new DecisionStore(reader, writer),
    metadata: new MetadataStore(reader, writer),
    audit,
    async close() {
      await audit.settled();
      await writer.close();
      await sources.close();
    },
  };
}
