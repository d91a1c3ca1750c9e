import { isObject, type JsonValue } from '../protocol/json.ts';
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
