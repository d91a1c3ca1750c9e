import type { Logger } from 'pino';
import type { DriftAction } from '../../policy/partner-policy.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import { RemoteError, type StrangersEvent } from '../../rooms/ports.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { RoomView } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import type { DriftRecord, DriftState } from '../../storage/stores/room-drift-store.ts';
import type { PartnerBorder } from '../border/border.ts';
import { takesAway } from '../border/facts.ts';
import type { Intruder } from '../border/intruders.ts';
import type { FreezeBook } from '../border/questions.ts';
import type { PartnerRegistry } from '../partners/registry.ts';
import { type DriftReport, reportBody } from './drift-report.ts';

const leaveReason = 'A server was let into this room that may not be here';
const stateAfter: Record<DriftAction, DriftState> = { freeze: 'frozen', leave: 'left', alarm: 'alarmed' };
/** So many reports of partners are remembered, so that one that repeats itself does not fill the log. */
const maxReports = 1_000;

export interface DriftDeps {
  readonly partners: PartnerRegistry;
  readonly db: Database;
  /** What the database has of earlier runs. */
  readonly records: readonly DriftRecord[];
  /** Tells a partner; rejects with a `RemoteError` if it does not hear. */
  readonly tell: (server: string, body: JsonObject) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Rooms of ours into which somebody else let a server that may not be there. ACLs are no auth rules: another resident
 * server can always do that, so it is noticed and answered here. What was done is on disk and survives restarts.
 */
export class Drifts implements FreezeBook {
  readonly #deps: DriftDeps;
  readonly #byRoom = new Map<string, Map<string, DriftRecord>>();
  readonly #frozen = new Map<string, { readonly servers: readonly string[]; readonly partner: string }>();
  readonly #reports = new Set<string>();
  #serving: { readonly engine: RoomEngine; readonly border: PartnerBorder } | undefined;

  constructor(deps: DriftDeps) {
    this.#deps = deps;
    for (const record of deps.records) this.#set(record);
  }

  start(serving: { readonly engine: RoomEngine; readonly border: PartnerBorder }): void {
    this.#serving = serving;
  }

  /** Of a frozen room for whom it is; undefined for any other. */
  get(roomId: string): { readonly servers: readonly string[]; readonly partner: string } | undefined {
    return this.#frozen.get(roomId);
  }

  /** Judges a room as it stands: a server that may not be there is answered once. */
  async check(view: RoomView): Promise<void> {
    if (this.#serving === undefined || !view.hasLocalMember()) return;
    const intruders = this.#serving.border.intruders(view);
    const known = this.#byRoom.get(view.roomId);
    for (const intruder of intruders)
      if (known?.get(intruder.server) === undefined)
        await this.#happened(view, intruder, await this.#admittedBy(view, intruder.server));
    for (const record of [...(known?.values() ?? [])]) {
      // A crash may have come between the decision and the last of ours who had to leave.
      if (record.state === 'left') await this.#leave(view);
      const isGone = !view.joinedServers().has(record.server) && this.#deps.partners.isActive(record.server);
      if (isGone && record.state !== 'frozen' && record.reportTo === null) await this.#forget(record);
    }
  }

  /**
   * A partner brought an event of a server of which we know no key: it is no partner of ours, and in the room as that
   * partner sees it. That is all that can be known of it. Never throws.
   */
  metStranger(view: RoomView, origin: string, event: StrangersEvent): void {
    const { server } = event;
    const { partners, log } = this.#deps;
    if (this.#serving === undefined || partners.get(server) !== undefined || takesAway(event)) return;
    if (!view.hasLocalMember() || this.#byRoom.get(view.roomId)?.has(server) === true) return;
    const intruder = this.#serving.border.intruders(view, server).find((found) => found.server === server);
    if (intruder === undefined) return;
    this.#happened(view, intruder, origin).catch((error: unknown) => {
      log.error({ err: error, roomId: view.roomId, server }, 'a drift could not be answered');
    });
  }

  /** A partner says that a server came into a shared room by way of us, and that it does not want it there. */
  reported({ from, roomId, server, action }: DriftReport & { readonly from: string }): void {
    const key = JSON.stringify([from, roomId, server]);
    if (this.#reports.has(key)) return;
    if (this.#reports.size >= maxReports) this.#reports.clear();
    this.#reports.add(key);
    this.#deps.log.error(
      { alarm: 'room-drift-reported', partner: from, roomId, server, action },
      'a partner says that a server was let into a shared room from here that it does not want there',
    );
    this.#deps.db.audit.record({
      action: 'border.drift-reported',
      outcome: 'done',
      actor: from,
      subject: roomId,
      detail: { server, action },
    });
  }

  /** A link is up: what that partner has still to be told. */
  async partnerUp(partner: string): Promise<void> {
    const all = [...this.#byRoom.values()].flatMap((records) => [...records.values()]);
    for (const record of all) if (record.reportTo === partner) await this.#report(record);
  }

  /** Everything that is remembered, by room. */
  list(): DriftRecord[] {
    return [...this.#byRoom.values()].flatMap((records) => [...records.values()]);
  }

  async #happened(view: RoomView, intruder: Intruder, admittedBy: string | undefined): Promise<void> {
    const { partners, db, clock, log } = this.#deps;
    const { server, partner, action } = intruder;
    const told = [admittedBy, partner].find((name) => name !== undefined && partners.isActive(name));
    const record: DriftRecord = {
      roomId: view.roomId,
      server,
      partner,
      state: stateAfter[action],
      reportTo: told ?? null,
      createdTs: clock.now(),
    };
    // In effect at once: nothing of ours goes to the room while this is being written.
    this.#set(record);
    const fields = { roomId: view.roomId, server, partner, admittedBy, action };
    log.error({ alarm: 'room-drift', ...fields }, 'a server is in a shared room that may not be there');
    const rules = [...new Set(intruder.violations.map(({ rule }) => rule))];
    const detail = {
      server,
      partner,
      action,
      rules,
      ...(admittedBy === undefined ? {} : { admitted_by: admittedBy }),
    };
    try {
      await db.audit.append(
        [
          {
            action: 'border.drift',
            outcome: 'done',
            actor: admittedBy ?? server,
            subject: view.roomId,
            detail,
          },
        ],
        db.roomDrifts.put(record),
      );
    } catch (error) {
      // Not remembered: the next change in the room finds it again.
      this.#delete(record);
      throw error;
    }
    if (action === 'leave') await this.#leave(view);
    await this.#report(record);
  }

  async #leave(view: RoomView): Promise<void> {
    const { partners, log } = this.#deps;
    for (const userId of view.residents().get(partners.serverName) ?? []) {
      try {
        await this.#serving?.engine.leave(userId, view.roomId, leaveReason);
      } catch (error) {
        log.error({ err: error, roomId: view.roomId, userId }, 'somebody of ours could not leave a room');
      }
    }
  }

  async #report(record: DriftRecord): Promise<void> {
    const { db, log, tell } = this.#deps;
    const { reportTo, roomId, server, state } = record;
    if (reportTo === null) return;
    const action = state === 'left' ? 'leave' : state === 'frozen' ? 'freeze' : 'alarm';
    try {
      await tell(reportTo, reportBody({ roomId, server, action }));
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      log.info({ err: error, partner: reportTo, roomId }, 'a partner was not told of a drift');
      // A refusal is an answer, an older island's for one; who was not reached is told when its link is up.
      if (error.kind !== 'refused') return;
    }
    const current = this.#byRoom.get(roomId)?.get(server);
    if (current === undefined) return;
    const told = { ...current, reportTo: null };
    this.#set(told);
    await db.writer.submit({ label: 'drift reported', ops: db.roomDrifts.put(told) });
  }

  async #forget(record: DriftRecord): Promise<void> {
    const { db } = this.#deps;
    const ops = db.roomDrifts.remove(record.roomId, record.server);
    await db.writer.submit({ label: 'drift over', ops });
    this.#delete(record);
  }

  /** The server through which a server came in: whose user vouched for a member of it, or invited one. */
  async #admittedBy(view: RoomView, server: string): Promise<string | undefined> {
    const engine = this.#serving?.engine;
    for (const userId of view.residents().get(server) ?? []) {
      const member = view.get('m.room.member', userId);
      if (member === undefined) continue;
      const authoriser = member.pdu.content['join_authorised_via_users_server'];
      if (typeof authoriser === 'string') return serverNameOf(authoriser);
      const auth = (await engine?.events(member.pdu.auth_events)) ?? new Map();
      for (const { pdu } of auth.values()) {
        if (pdu.type !== 'm.room.member' || pdu.state_key !== userId) continue;
        const inviter = serverNameOf(pdu.sender);
        if (pdu.content['membership'] === 'invite' && inviter !== server) return inviter;
      }
    }
    return undefined;
  }

  #set(record: DriftRecord): void {
    const records = this.#byRoom.get(record.roomId) ?? new Map<string, DriftRecord>();
    records.set(record.server, record);
    this.#byRoom.set(record.roomId, records);
    this.#refreeze(record.roomId);
  }

  #delete({ roomId, server }: DriftRecord): void {
    const records = this.#byRoom.get(roomId);
    records?.delete(server);
    if (records?.size === 0) this.#byRoom.delete(roomId);
    this.#refreeze(roomId);
  }

  #refreeze(roomId: string): void {
    const frozen = [...(this.#byRoom.get(roomId)?.values() ?? [])].filter(({ state }) => state === 'frozen');
    const [first] = frozen;
    if (first === undefined) this.#frozen.delete(roomId);
    else this.#frozen.set(roomId, { servers: frozen.map(({ server }) => server), partner: first.partner });
  }

  /**
   * Lifts the freeze of a room. `accept`: the servers for which it was frozen may stay from now on. Says what was
   * found: nothing, a server that is still there and was not accepted, or that it is done.
   */
  async unfreeze(
    view: RoomView | undefined,
    roomId: string,
    options: { readonly accept: boolean; readonly by: string },
  ): Promise<{ kind: 'not-frozen' } | { kind: 'still-there'; servers: string[] } | { kind: 'done' }> {
    const { db } = this.#deps;
    const frozen = [...(this.#byRoom.get(roomId)?.values() ?? [])].filter(({ state }) => state === 'frozen');
    if (frozen.length === 0) return { kind: 'not-frozen' };
    const servers = frozen.map(({ server }) => server);
    const there = servers.filter((server) => view?.joinedServers().has(server) === true);
    if (!options.accept && there.length > 0) return { kind: 'still-there', servers: there };
    const accepted = frozen.map((record): DriftRecord => ({ ...record, state: 'accepted', reportTo: null }));
    const ops = options.accept
      ? accepted.flatMap((record) => db.roomDrifts.put(record))
      : frozen.flatMap((record) => db.roomDrifts.remove(record.roomId, record.server));
    const detail = { servers, accept: options.accept };
    await db.audit.append(
      [{ action: 'room.unfreeze', outcome: 'done', actor: options.by, subject: roomId, detail }],
      ops,
    );
    for (const record of frozen) this.#delete(record);
    if (options.accept) for (const record of accepted) this.#set(record);
    return { kind: 'done' };
  }
}
