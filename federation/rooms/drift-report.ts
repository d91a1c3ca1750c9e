import type { DriftAction } from '../../policy/partner-policy.ts';
import type { JsonObject } from '../../protocol/json.ts';

/** Not of Matrix: where an island is told that a server came into a shared room by way of it. */
export const driftPath = '/_archipelago/federation/v1/rooms/drift';

/** A server that came into a room, as it is told to the island through which it came. */
export interface DriftReport {
  readonly roomId: string;
  readonly server: string;
  readonly action: DriftAction;
}

export function reportBody({ roomId, server, action }: DriftReport): JsonObject {
  return { room_id: roomId, server, action };
}
