import type { RoomContext } from './context.ts';
import type { Matter, Verdicts } from './ports.ts';

/** Where nobody had to be asked. */
export const noVerdicts: Verdicts = new Map();

/**
 * What the checks say that the partners' policies name, asked outside of the room's queue: a slow one keeps whoever
 * waits for it, and not the room. A value where there is none to ask, so that nothing is awaited for it.
 */
export function consulted(ctx: RoomContext, matter: Matter): Verdicts | Promise<Verdicts> {
  return ctx.border.consult(matter)?.() ?? noVerdicts;
}
