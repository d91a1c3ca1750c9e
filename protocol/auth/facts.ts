import type { RoomEvent } from '../event.ts';
import type { PowerLevels } from '../power-levels.ts';

/** The state against which an event is judged. */
export interface StateLookup {
  get(type: string, stateKey: string): RoomEvent | undefined;
  /** What the power levels and create events of this state say, where somebody has worked it out already. */
  readonly powerLevels?: PowerLevels;
}

/** What the rules ask and no state tells. */
export interface AuthExtra {
  /** Whether the event carries a valid signature of that server (rule 4.2, in version 12 rule 5.2). */
  isSignedBy(serverName: string): boolean;
}
