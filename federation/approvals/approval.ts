import { createHash } from 'node:crypto';
import { isObject, type JsonObject, parseJson } from '../../protocol/json.ts';
import type { Invitation, Standing } from '../../rooms/ports.ts';
import type { ApprovalRecord } from '../../storage/stores/approval-store.ts';

/**
 * What became of an invitation that is held.
 *
 * - `waiting`: for a word of ours.
 * - `approved`: by us. Outbound: to be sent. Inbound: the partner's next one passes, once.
 * - `elsewhere`: the partner holds it. `again`: the partner has approved it, and it is to be sent again.
 * - `denied`, `done`, `failed`, `expired`: over. A denial is kept for a while, and so is what is done.
 */
export type ApprovalState =
  | 'waiting'
  | 'approved'
  | 'elsewhere'
  | 'again'
  | 'denied'
  | 'done'
  | 'failed'
  | 'expired';

export interface Approval {
  readonly approvalId: string;
  readonly invitation: Invitation;
  readonly state: ApprovalState;
  readonly createdTs: number;
  /** When and by whom it was decided here; undefined for what nobody here was asked about. */
  readonly decidedTs: number | undefined;
  readonly decidedBy: string | undefined;
  /** Inbound: the partner was told that it is approved. */
  readonly isTold: boolean;
}

const dayMs = 24 * 3_600_000;
/** So long an invitation waits for a word, ours or the partner's. */
const waitingMs = 30 * dayMs;
/** So long an approval is good, and so long a denial stands. */
const decidedMs = 7 * dayMs;

export const openStates: readonly ApprovalState[] = ['waiting', 'approved', 'elsewhere', 'again'];
/** What counts after it is over. */
export const rememberedStates: readonly ApprovalState[] = ['denied', 'done'];

/** The same invitation has the same number, however often it is tried: twelve characters, to be read out. */
export function approvalIdOf({ direction, roomId, inviter, invitee }: Invitation): string {
  const hash = createHash('sha256').update(JSON.stringify([direction, roomId, inviter, invitee]));
  return hash.digest('hex').slice(0, 12);
}

/** When it ends by itself, in milliseconds since the epoch. */
export function endOf({ state, createdTs, decidedTs }: Approval): number {
  const isOurWordGood =
    decidedTs !== undefined && state !== 'waiting' && state !== 'elsewhere' && state !== 'again';
  return isOurWordGood ? decidedTs + decidedMs : createdTs + waitingMs;
}

/** What an approval means for the same invitation when it is tried at `now`. */
export function standingOf(approval: Approval | undefined, now: number): Standing {
  if (approval === undefined || now >= endOf(approval)) return 'none';
  const { state, invitation, decidedBy } = approval;
  if (state === 'denied') return 'refused';
  if (state === 'waiting' || state === 'failed' || state === 'expired') return 'none';
  // An invitation of ours that the partner holds keeps the approval that it had here; a used one has none left.
  if (invitation.direction === 'outbound')
    return decidedBy !== undefined && state !== 'done' ? 'approved' : 'none';
  return state === 'approved' ? 'approved' : 'none';
}

export function recordOf(approval: Approval): ApprovalRecord {
  const { approvalId, invitation, state, createdTs, decidedTs, decidedBy, isTold } = approval;
  const { direction, roomId, inviter, invitee, reason, isDirect, roomName } = invitation;
  const json: JsonObject = {
    ...(reason === undefined ? {} : { reason }),
    ...(isDirect === true ? { is_direct: true } : {}),
    ...(roomName === undefined ? {} : { room_name: roomName }),
    ...(isTold ? { is_told: true } : {}),
  };
  return {
    approvalId,
    direction,
    roomId,
    inviter,
    invitee,
    state,
    json: JSON.stringify(json),
    createdTs,
    decidedTs: decidedTs ?? null,
    decidedBy: decidedBy ?? null,
  };
}

export function approvalOf(record: ApprovalRecord): Approval {
  const { approvalId, roomId, inviter, invitee, createdTs } = record;
  const json = parseJson(record.json);
  const { reason, is_direct: isDirect, room_name: roomName, is_told: isTold } = isObject(json) ? json : {};
  return {
    approvalId,
    invitation: {
      direction: record.direction === 'inbound' ? 'inbound' : 'outbound',
      roomId,
      inviter,
      invitee,
      reason: typeof reason === 'string' ? reason : undefined,
      isDirect: isDirect === true,
      roomName: typeof roomName === 'string' ? roomName : undefined,
    },
    // Only `recordOf` writes the column.
    state: record.state as ApprovalState,
    createdTs,
    decidedTs: record.decidedTs ?? undefined,
    decidedBy: record.decidedBy ?? undefined,
    isTold: isTold === true,
  };
}
