import { isValidServerName } from '../protocol/identifiers.ts';
import type { JsonObject } from '../protocol/json.ts';

/**
 * The state event that says whom a room is for: `{class: "internal" | "shared", partners: [...]}`. With
 * `by_invitation: true` it follows from who was invited, and grows with each permitted invitation.
 */
export const roomClassType = 'org.archipelago.room_class';

/** What a room's class says. */
export interface RoomClass {
  /** `undefined`: nobody said; it becomes shared with whoever is invited first. */
  readonly class: 'internal' | 'shared' | undefined;
  /** Partners that a shared room is for. */
  readonly sharedWith: readonly string[];
  /** Nobody chose those partners: they are the ones who were invited. */
  readonly byInvitation?: boolean | undefined;
}

/** Reads the content of a class event; what cannot be understood says nothing. */
export function classOf(content: JsonObject): RoomClass {
  const { class: name, partners } = content;
  const sharedWith = Array.isArray(partners)
    ? partners.filter((partner): partner is string => typeof partner === 'string')
    : [];
  return {
    class: name === 'internal' || name === 'shared' ? name : undefined,
    sharedWith,
    ...(content['by_invitation'] === true ? { byInvitation: true } : {}),
  };
}

/** The content of a class event for a room into which people of these servers were invited. */
export function sharedByInvitation(partners: Iterable<string>): JsonObject {
  return { class: 'shared', partners: [...new Set(partners)].sort(), by_invitation: true };
}

const maxPartners = 100;

/** Why this cannot be a room's class, as a sentence; undefined if it can. */
export function objectionToClass(content: JsonObject, stateKey: string): string | undefined {
  if (stateKey !== '') return 'The class of a room has an empty state key';
  const { class: name, partners } = content;
  if (name !== 'internal' && name !== 'shared') return 'class has to be "internal" or "shared"';
  if (name === 'internal')
    return partners === undefined || (Array.isArray(partners) && partners.length === 0)
      ? undefined
      : 'An internal room has no partners';
  if (!Array.isArray(partners)) return 'partners has to be a list of server names';
  const byInvitation = content['by_invitation'];
  if (byInvitation !== undefined && typeof byInvitation !== 'boolean')
    return 'by_invitation has to be true or false';
  if (partners.length > maxPartners) return `partners holds at most ${maxPartners} names`;
  const wrong = partners.find((name) => typeof name !== 'string' || !isValidServerName(name));
  return wrong === undefined ? undefined : `${JSON.stringify(wrong)} is not a server name`;
}
