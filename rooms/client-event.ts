import { stateKeyOf } from '../protocol/event.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { RoomContext } from './context.ts';
import { expiredKey, expiredMark } from './expire-mark.ts';
import { externalKey, labelFor, labelled } from './external-label.ts';
import { localNoticeKey } from './local-notice.ts';
import type { Border, ExternalLabel } from './ports.ts';
import { quarantinedKey, shownPdu } from './quarantine.ts';
import { membershipOf } from './room.ts';
import type { StateSet } from './state/state-set.ts';
import type { ClientEvent, StoredEvent } from './types.ts';

/** What the client's form of an event adds to it; everything is optional. */
export interface ClientEventExtras {
  /** For whom: their own events carry their transaction id. */
  readonly userId?: string | undefined;
  readonly deviceId?: string | undefined;
  /** Milliseconds since the epoch, for `unsigned.age`. */
  readonly now?: number | undefined;
  readonly redaction?: StoredEvent | undefined;
  /** The state event that this one replaced. */
  readonly replaced?: StoredEvent | undefined;
  /** The reader's membership at the event. */
  readonly membership?: string | undefined;
}

/**
 * The form that clients get (client-server API, "Room event format"): ids added, references between events
 * and signatures left out, `redacts` at both places, and `unsigned` as only we know it.
 */
export function toClientEvent(
  border: Pick<Border, 'labelOf'>,
  event: StoredEvent,
  extras: ClientEventExtras = {},
): ClientEvent {
  const pdu = shownPdu(event);
  const label = labelFor(border, pdu);
  const client: ClientEvent = {
    content: label === undefined ? pdu.content : labelled(pdu.content, label),
    event_id: event.eventId,
    origin_server_ts: pdu.origin_server_ts,
    room_id: event.roomId,
    sender: pdu.sender,
    type: pdu.type,
    unsigned: unsignedOf(border, event, extras, label),
  };
  if (pdu.state_key !== undefined) client['state_key'] = pdu.state_key;
  if (pdu.type === 'm.room.redaction') {
    const target = pdu.redacts ?? pdu.content['redacts'];
    if (typeof target === 'string') {
      client['redacts'] = target;
      if (pdu.content['redacts'] === undefined) client.content = { ...pdu.content, redacts: target };
    }
  }
  return client;
}

function unsignedOf(
  border: Pick<Border, 'labelOf'>,
  event: StoredEvent,
  extras: ClientEventExtras,
  label: ExternalLabel | undefined,
): JsonObject {
  const unsigned: JsonObject = {};
  if (label !== undefined) unsigned[externalKey] = label.about;
  if (event.quarantined) unsigned[quarantinedKey] = true;
  if (event.redactedBy === expiredMark) unsigned[expiredKey] = true;
  if (event.anchor !== undefined) unsigned[localNoticeKey] = true;
  if (extras.now !== undefined) unsigned['age'] = Math.max(0, extras.now - event.pdu.origin_server_ts);
  if (extras.membership !== undefined) unsigned['membership'] = extras.membership;
  const { txn } = event;
  if (txn !== null && event.pdu.sender === extras.userId && txn.deviceId === extras.deviceId)
    unsigned['transaction_id'] = clientTxnId(txn.txnId);
  if (extras.replaced !== undefined) {
    const before = shownPdu(extras.replaced).content;
    unsigned['prev_content'] = label === undefined ? before : labelled(before, label);
    unsigned['prev_sender'] = extras.replaced.pdu.sender;
    unsigned['replaces_state'] = extras.replaced.eventId;
  }
  if (extras.redaction !== undefined)
    unsigned['redacted_because'] = toClientEvent(
      border,
      extras.redaction,
      extras.now === undefined ? {} : { now: extras.now },
    );
  return unsigned;
}

/** What the client chose as its id: the last part of the key under which the request is remembered. */
function clientTxnId(txnKey: string): string {
  return txnKey.slice(txnKey.lastIndexOf('\n') + 1);
}

/** The client form of events that the user may see, with all of `unsigned`. */
export async function clientEventsFor(
  ctx: RoomContext,
  reader: { userId: string; deviceId?: string | undefined },
  events: readonly StoredEvent[],
): Promise<ClientEvent[]> {
  const now = ctx.clock.now();
  const wanted = new Set<string>();
  const places: { replaced?: string | undefined; member?: string | undefined }[] = [];
  const memberKey = stateKeyOf('m.room.member', reader.userId);
  const sets = new Map<number, StateSet>();
  for (const event of events) {
    const place: { replaced?: string | undefined; member?: string | undefined } = {};
    if (event.stateGroup !== null && event.stateGroupAfter !== null) {
      const room = ctx.rooms.peek(event.roomId);
      const after = sets.get(event.stateGroupAfter) ?? (await ctx.sets.get(event.stateGroupAfter, room));
      sets.set(after.group, after);
      place.member = after.get(memberKey);
      if (event.pdu.state_key !== undefined) {
        const before = sets.get(event.stateGroup) ?? (await ctx.sets.get(event.stateGroup, room));
        sets.set(before.group, before);
        place.replaced = before.get(stateKeyOf(event.pdu.type, event.pdu.state_key));
      }
    }
    places.push(place);
    for (const id of [place.replaced, place.member, event.redactedBy]) if (id) wanted.add(id);
  }
  const others = await ctx.lookup.many(wanted, events[0] && ctx.rooms.peek(events[0].roomId));
  return events.map((event, index) => {
    const place = places[index] ?? {};
    return toClientEvent(ctx.border, event, {
      ...reader,
      now,
      membership: event.stateGroupAfter === null ? undefined : membershipOf(others.get(place.member ?? '')),
      replaced: others.get(place.replaced ?? ''),
      redaction: others.get(event.redactedBy ?? ''),
    });
  });
}

/**
 * The client form of the events of a state. Each has its own place in the room's history, and the state at each would
 * have to be loaded to tell what it replaced and what the reader was then: a room of a thousand has a million entries
 * in these states. `unsigned` goes without both, which are optional.
 */
export async function clientStateFor(
  ctx: RoomContext,
  reader: { userId: string; deviceId?: string | undefined },
  events: readonly StoredEvent[],
): Promise<ClientEvent[]> {
  const now = ctx.clock.now();
  const wanted = events.flatMap(({ redactedBy }) => redactedBy ?? []);
  const redactions = await ctx.lookup.many(wanted, events[0] && ctx.rooms.peek(events[0].roomId));
  return events.map((event) =>
    toClientEvent(ctx.border, event, { ...reader, now, redaction: redactions.get(event.redactedBy ?? '') }),
  );
}
