import type { RoomEvent } from '../../protocol/event.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { RoomContext } from '../context.ts';
import { TryAgain } from '../errors.ts';
import { RemoteError } from '../ports.ts';
import type { Room } from '../room.ts';

/** So many partners are asked before an event is put off. */
const maxServers = 4;

/**
 * Partners to ask about an event: its sender's server, which knows best and does not lie about it to itself, the one
 * that brought it, then others with a joined member in the room; first those that can be asked without waiting.
 */
export function serversToAsk(
  ctx: RoomContext,
  room: Room | undefined,
  about?: { readonly event: RoomEvent; readonly origin: string },
): string[] {
  const servers = new Set<string>(
    about === undefined ? [] : [serverNameOf(about.event.pdu.sender), about.origin],
  );
  for (const server of room?.joinedServers() ?? []) servers.add(server);
  servers.delete(ctx.serverName);
  const allowed = [...servers].filter((server) => ctx.border.mayTalkTo(server));
  const [near, far]: [string[], string[]] = [[], []];
  for (const server of allowed) (ctx.remote.isReachable(server) ? near : far).push(server);
  return [...near, ...far].slice(0, maxServers);
}

/**
 * Asks one partner after the other until one gives an answer that `accept` can use. Undefined: all refused
 * or had nothing usable. Throws `TryAgain` if none did and one could not be reached.
 */
export async function askPartners<A, T>(
  servers: readonly string[],
  ask: (server: string) => Promise<A>,
  accept: (answer: A, server: string) => T | undefined | Promise<T | undefined>,
): Promise<T | undefined> {
  let unreachable: unknown;
  for (const server of servers) {
    try {
      const accepted = await accept(await ask(server), server);
      if (accepted !== undefined) return accepted;
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      if (error.kind === 'unreachable') unreachable = error;
    }
  }
  if (unreachable !== undefined) throw new TryAgain('No partner that could help was reached', unreachable);
  return undefined;
}
