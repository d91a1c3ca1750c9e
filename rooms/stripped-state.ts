import type { Pdu } from '../protocol/event.ts';
import { isObject, type JsonValue } from '../protocol/json.ts';
import type { RoomContext } from './context.ts';
import { labelFor, labelled } from './external-label.ts';
import { shownPdu } from './quarantine.ts';
import type { StrippedState } from './types.ts';

/**
 * State that people see of a room they are invited to (client-server API, "Stripped state"), with an empty
 * state key. Nothing else that a partner puts into an invitation is handed on.
 */
export const strippedTypes = [
  'm.room.create',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.encryption',
] as const;

const known: ReadonlySet<string> = new Set(strippedTypes);
const maxStripped = 64;

/** The stripped form of what is well-formed and of a known type; members only for the inviter. */
export function stripState(events: readonly JsonValue[], inviter: string): StrippedState[] {
  const stripped: StrippedState[] = [];
  for (const event of events.slice(0, maxStripped)) {
    if (!isObject(event)) continue;
    const { type, state_key: stateKey, sender, content } = event;
    if (typeof type !== 'string' || typeof stateKey !== 'string' || typeof sender !== 'string') continue;
    if (!isObject(content)) continue;
    const wanted = type === 'm.room.member' ? stateKey === inviter : known.has(type) && stateKey === '';
    if (wanted) stripped.push({ type, state_key: stateKey, sender, content });
  }
  return stripped;
}

/**
 * What an invited user is shown of the room (`invite_state` of `/sync`), the invitation itself last; undefined
 * for somebody who is not invited, or by an invitation in quarantine. For rooms of partners it is what came with the invitation.
 */
export async function inviteStateFor(
  ctx: RoomContext,
  userId: string,
  roomId: string,
): Promise<StrippedState[] | undefined> {
  const pending = await ctx.store.invite(roomId, userId);
  if (pending !== undefined)
    return [...pending.strippedState, toStripped(pending.event)].map((event) => shownStripped(ctx, event));
  const room = await ctx.rooms.get(roomId);
  const invite = room?.get('m.room.member', userId);
  if (room === undefined || invite === undefined || room.membership(userId) !== 'invite') return undefined;
  // One that the border objects to takes its place in the room, and is nothing to the user.
  if (invite.quarantined) return undefined;
  const state = strippedTypes.map((type) => room.get(type, ''));
  state.push(room.get('m.room.member', invite.pdu.sender), invite);
  return state.flatMap((event) =>
    event === undefined ? [] : [shownStripped(ctx, toStripped(shownPdu(event)))],
  );
}

/** As people see it; what goes to partners is made elsewhere. */
function shownStripped({ border }: RoomContext, event: StrippedState): StrippedState {
  const label = labelFor(border, event);
  return label === undefined ? event : { ...event, content: labelled(event.content, label) };
}

function toStripped(pdu: Pdu): StrippedState {
  return { type: pdu.type, state_key: pdu.state_key ?? '', sender: pdu.sender, content: pdu.content };
}
