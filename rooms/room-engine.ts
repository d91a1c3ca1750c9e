import { type StateMap, stateKeyOf } from '../protocol/event.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';
import type { AuditEvent } from '../storage/audit/chain.ts';
import { type ClientEventExtras, clientEventsFor, clientStateFor, toClientEvent } from './client-event.ts';
import { makeContext, type RoomContext, type RoomEngineDeps } from './context.ts';
import { createRoom } from './create-room.ts';
import { badJson, notFound } from './errors.ts';
import { expireEvents } from './expire.ts';
import { externalKey, labelled, shownContent, unlabelled } from './external-label.ts';
import { type FetchedHistory, fetchHistory } from './history.ts';
import { requireNoLocalTarget, requireReal } from './local-notice.ts';
import { forgetRoom } from './membership/forget.ts';
import { type InviteOptions, inviteUser, repeatInvite } from './membership/invite.ts';
import { joinRoom } from './membership/join.ts';
import { leaveRoom, requireMayLeave } from './membership/leave.ts';
import { banUser, kickUser, unbanUser } from './membership/moderation.ts';
import { type InviteBody, receiveInvite } from './membership/receive-invite.ts';
import type { RemoteTemplate } from './ports.ts';
import { type ReceiveOptions, Receiver } from './receive/receive.ts';
import { releaseEvent } from './release.ts';
import { redactEvent, sendEvent, TxnGuard } from './send.ts';
import { requireAdmitted } from './serve/guard.ts';
import { backfill, getEvent, getMissingEvents } from './serve/history.ts';
import { makeJoin, makeLeave, sendJoin, sendLeave } from './serve/joins.ts';
import { getEventAuth, getState, getStateIds } from './serve/state.ts';
import { keepAcl } from './server-acl.ts';
import { inviteStateFor } from './stripped-state.ts';
import type {
  ClientEvent,
  CreateRoomRequest,
  JoinOptions,
  ReceiveOutcome,
  RedactRequest,
  RoomView,
  SendJoinAnswer,
  SendRequest,
  StoredEvent,
  StrippedState,
} from './types.ts';
import { visibleEvents } from './visibility.ts';

export type { RoomEngineDeps } from './context.ts';

/**
 * The rooms of one island: what its people do in them, what partners send, and what both may read. Answers
 * of methods that change something mean that it is on disk. Refusals are `RoomError`s.
 */
export class RoomEngine {
  readonly #ctx: RoomContext;
  readonly #receiver: Receiver;
  readonly #txns: TxnGuard;

  constructor(deps: RoomEngineDeps) {
    this.#ctx = makeContext(deps);
    this.#receiver = new Receiver(this.#ctx);
    this.#txns = new TxnGuard(this.#ctx);
  }

  // What our people do. User ids are ours and authenticated.

  createRoom(userId: string, request: CreateRoomRequest): Promise<{ roomId: string }> {
    return createRoom(this.#ctx, userId, request);
  }

  send(request: SendRequest): Promise<{ eventId: string }> {
    requireNoLocalTarget(request.type, request.content);
    return this.#txns.once(request.userId, request.txn, () => {
      if (isInvitation(request)) return this.#sendInvitation(request);
      if (request.type === 'm.room.redaction') return this.#sendRedaction(request);
      return this.#sendEvent(request);
    });
  }

  redact(request: RedactRequest): Promise<{ eventId: string }> {
    requireReal(request.eventId);
    return this.#txns.once(request.userId, request.txn, () => redactEvent(this.#ctx, request));
  }

  join(userId: string, roomId: string, options: JoinOptions = {}): Promise<void> {
    return joinRoom(this.#ctx, userId, roomId, options);
  }

  /** Hands an invitation of one of ours that still stands to the invited server once more. Never throws its refusal. */
  repeatInvite(roomId: string, target: string): Promise<void> {
    return repeatInvite(this.#ctx, roomId, target);
  }

  async invite(userId: string, roomId: string, target: string, options: InviteOptions = {}): Promise<void> {
    await inviteUser(this.#ctx, userId, roomId, target, options);
  }

  leave(userId: string, roomId: string, reason?: string): Promise<void> {
    return leaveRoom(this.#ctx, userId, roomId, reason);
  }

  kick(userId: string, roomId: string, target: string, reason?: string): Promise<void> {
    return kickUser(this.#ctx, userId, roomId, target, reason);
  }

  ban(userId: string, roomId: string, target: string, reason?: string): Promise<void> {
    return banUser(this.#ctx, userId, roomId, target, reason);
  }

  unban(userId: string, roomId: string, target: string, reason?: string): Promise<void> {
    return unbanUser(this.#ctx, userId, roomId, target, reason);
  }

  forget(userId: string, roomId: string): Promise<void> {
    return forgetRoom(this.#ctx, userId, roomId);
  }

  /** Lets our people see an event in quarantine; false if it is in none. `line` goes to the audit log with it. */
  release(eventId: string, line: (roomId: string) => AuditEvent): Promise<boolean> {
    return releaseEvent(this.#ctx, eventId, line);
  }

  /** Deletes the content of messages of a room here; gives how many had any. Redacted ones and state stay as they are. */
  expire(roomId: string, eventIds: readonly string[]): Promise<number> {
    return expireEvents(this.#ctx, roomId, eventIds);
  }

  // What people read.

  /** The room's current state if it is in memory already. */
  peek(roomId: string): RoomView | undefined {
    return this.#ctx.rooms.peek(roomId);
  }

  /** The room's current state in memory; undefined for a room that we do not hold. */
  async view(roomId: string): Promise<RoomView | undefined> {
    return this.#ctx.rooms.get(roomId);
  }

  /** An event that we hold, in any state; readers filter with `visibleEvents`. */
  event(eventId: string): Promise<StoredEvent | undefined> {
    return this.#ctx.lookup.one(eventId);
  }

  /** Events by id, those that we hold. */
  events(eventIds: Iterable<string>): Promise<Map<string, StoredEvent>> {
    return this.#ctx.lookup.many(eventIds);
  }

  /** Throws 404 for an event without a known state. */
  stateBefore(eventId: string): Promise<StateMap> {
    return this.#stateAt(eventId, 'stateGroup');
  }

  /** Throws 404 for an event without a known state. */
  stateAfter(eventId: string): Promise<StateMap> {
    return this.#stateAt(eventId, 'stateGroupAfter');
  }

  /** The state event in whose place a state event came; undefined where there was none or it is not known. */
  async replacedBy(event: StoredEvent): Promise<StoredEvent | undefined> {
    const { stateGroup, pdu } = event;
    if (stateGroup === null || pdu.state_key === undefined) return undefined;
    const room = this.#ctx.rooms.peek(event.roomId);
    const id = (await this.#ctx.sets.get(stateGroup, room)).get(stateKeyOf(pdu.type, pdu.state_key));
    return id === undefined ? undefined : this.#ctx.lookup.one(id, room);
  }

  /** Those of the events of a room that the user may see, in their order. */
  visibleEvents<E extends StoredEvent>(userId: string, roomId: string, events: readonly E[]): Promise<E[]> {
    return visibleEvents(this.#ctx, userId, roomId, events);
  }

  /** The form that clients get, with `unsigned` filled for this reader. Does not filter. */
  clientEvents(
    reader: { userId: string; deviceId?: string | undefined },
    events: readonly StoredEvent[],
  ): Promise<ClientEvent[]> {
    return clientEventsFor(this.#ctx, reader, events);
  }

  /** The same for the events of a state, without what `unsigned` tells of the room at each of them. */
  clientState(
    reader: { userId: string; deviceId?: string | undefined },
    events: readonly StoredEvent[],
  ): Promise<ClientEvent[]> {
    return clientStateFor(this.#ctx, reader, events);
  }

  clientEvent(event: StoredEvent, extras: ClientEventExtras = {}): ClientEvent {
    return toClientEvent(this.#ctx.border, event, extras);
  }

  /** What people see as the content of an event. */
  shownContent(event: StoredEvent): JsonObject {
    return shownContent(this.#ctx.border, event);
  }

  /** The profile of somebody of another server as our people see it. */
  shownProfile(userId: string, profile: JsonObject): JsonObject {
    const label = this.#ctx.border.labelOf(serverNameOf(userId));
    const { [externalKey]: _theirs, ...own } = profile;
    return label === undefined ? own : { ...labelled(own, label), [externalKey]: label.about };
  }

  /** `invite_state` of an invited user; undefined for somebody who is not invited. */
  inviteState(userId: string, roomId: string): Promise<StrippedState[] | undefined> {
    return inviteStateFor(this.#ctx, userId, roomId);
  }

  /** Asks partners for events before those that we hold. */
  fetchHistory(roomId: string, limit: number): Promise<FetchedHistory> {
    return fetchHistory(this.#ctx, roomId, limit);
  }

  /** Does the timeline go on before what we hold? */
  async hasMoreHistory(roomId: string): Promise<boolean> {
    const room = await this.#ctx.rooms.get(roomId);
    return room !== undefined && room.missing.size > 0;
  }

  // What partners ask. `origin` is the authenticated server.

  /** Throws only for reasons that pass: `TryAgain`, storage errors. */
  receive(origin: string, pdu: JsonValue, options: ReceiveOptions = {}): Promise<ReceiveOutcome> {
    return this.#receiver.receive(origin, pdu, options);
  }

  makeJoin(
    origin: string,
    roomId: string,
    userId: string,
    versions: readonly string[],
  ): Promise<RemoteTemplate> {
    return makeJoin(this.#ctx, origin, roomId, userId, versions);
  }

  sendJoin(origin: string, roomId: string, eventId: string, pdu: JsonValue): Promise<SendJoinAnswer> {
    return sendJoin(this.#ctx, this.#receiver, origin, roomId, eventId, pdu);
  }

  makeLeave(origin: string, roomId: string, userId: string): Promise<RemoteTemplate> {
    return makeLeave(this.#ctx, origin, roomId, userId);
  }

  sendLeave(origin: string, roomId: string, eventId: string, pdu: JsonValue): Promise<void> {
    return sendLeave(this.#ctx, this.#receiver, origin, roomId, eventId, pdu);
  }

  /** Brings the room's ACL into step with who may be in it; false if there was nothing to do. */
  keepAcl(roomId: string): Promise<boolean> {
    return keepAcl(this.#ctx, roomId);
  }

  /** Throws 403 for a server that the room's ACL denies. */
  requireAdmitted(origin: string, roomId: string): Promise<void> {
    return requireAdmitted(this.#ctx, origin, roomId);
  }

  /** Gives the event with our signature. */
  receiveInvite(origin: string, roomId: string, eventId: string, body: InviteBody): Promise<JsonValue> {
    return receiveInvite(this.#ctx, origin, roomId, eventId, body);
  }

  getEvent(origin: string, eventId: string): Promise<JsonValue> {
    return getEvent(this.#ctx, origin, eventId);
  }

  getState(
    origin: string,
    roomId: string,
    eventId: string,
  ): Promise<{ pdus: JsonValue[]; authChain: JsonValue[] }> {
    return getState(this.#ctx, origin, roomId, eventId);
  }

  getStateIds(
    origin: string,
    roomId: string,
    eventId: string,
  ): Promise<{ pduIds: string[]; authChainIds: string[] }> {
    return getStateIds(this.#ctx, origin, roomId, eventId);
  }

  getEventAuth(origin: string, roomId: string, eventId: string): Promise<JsonValue[]> {
    return getEventAuth(this.#ctx, origin, roomId, eventId);
  }

  backfill(origin: string, roomId: string, from: readonly string[], limit: number): Promise<JsonValue[]> {
    return backfill(this.#ctx, origin, roomId, from, limit);
  }

  getMissingEvents(
    origin: string,
    roomId: string,
    request: { earliest: readonly string[]; latest: readonly string[]; limit: number; minDepth: number },
  ): Promise<JsonValue[]> {
    return getMissingEvents(this.#ctx, origin, roomId, request);
  }

  /** What a client read of a member of a partner and writes back is not that member's own any more: the label goes. */
  async #sendEvent(request: SendRequest): Promise<{ eventId: string }> {
    const { type, stateKey, content, roomId } = request;
    if (type !== 'm.room.member' || stateKey === undefined) return sendEvent(this.#ctx, request);
    const room = await this.#ctx.rooms.get(roomId);
    const isLeaving = stateKey === request.userId && content['membership'] === 'leave';
    if (room !== undefined && isLeaving) requireMayLeave(this.#ctx, room, stateKey);
    const member = room?.get('m.room.member', stateKey);
    return sendEvent(this.#ctx, { ...request, content: unlabelled(this.#ctx.border, content, member) });
  }

  /** An invitation that a client sends as a state event goes the way of all invitations: border, handshake. */
  #sendInvitation({ userId, roomId, stateKey, content }: SendRequest): Promise<{ eventId: string }> {
    const { reason } = content;
    return inviteUser(this.#ctx, userId, roomId, stateKey ?? '', {
      reason: typeof reason === 'string' ? reason : undefined,
      isDirect: content['is_direct'] === true,
    });
  }

  /** A redaction that a client sends as an event names its target in the content, whatever the room's version. */
  async #sendRedaction({
    userId,
    roomId,
    content,
    txn,
    stateKey,
  }: SendRequest): Promise<{ eventId: string }> {
    const { redacts } = content;
    if (typeof redacts !== 'string' || stateKey !== undefined)
      throw badJson('A redaction names the event that it redacts, and is no state');
    return redactEvent(this.#ctx, { userId, roomId, eventId: redacts, content, txn });
  }

  async #stateAt(eventId: string, which: 'stateGroup' | 'stateGroupAfter'): Promise<StateMap> {
    const event = await this.#ctx.lookup.one(eventId);
    const group = event?.[which] ?? null;
    if (event === undefined || group === null) throw notFound('The state at this event is not known');
    return (await this.#ctx.sets.get(group, this.#ctx.rooms.peek(event.roomId))).toMap();
  }
}

function isInvitation(request: SendRequest): boolean {
  return (
    request.type === 'm.room.member' &&
    request.stateKey !== undefined &&
    request.content['membership'] === 'invite'
  );
}
