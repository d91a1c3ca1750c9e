import type { Logger } from 'pino';
import type { JsonObject } from '../../protocol/json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import { RemoteError } from '../../rooms/ports.ts';
import type { AskConsent } from '../border/border.ts';

/** Not of Matrix: where an island is asked whether a server may come into a room with it. */
export const admissionPath = '/_archipelago/federation/v1/rooms/admission';

/** An island that has not answered by then has not consented. */
const answerWaitMs = 10_000;

type Answer = 'yes' | 'no' | 'none';

/**
 * Asks islands, all at once, whether servers may come into a room that they are in or will be in. One of an older
 * version, one that is no island and one that is not reached in time gives no answer; what that means is for the
 * policy to say.
 */
export function consentBy(deps: {
  readonly ask: (server: string, body: JsonObject) => Promise<JsonObject>;
  readonly clock: Clock;
  readonly log: Logger;
}): AskConsent {
  const { ask, clock, log } = deps;
  const answerOf = (server: string, body: JsonObject): Promise<Answer> =>
    new Promise((resolve) => {
      const timer = clock.setTimer(answerWaitMs, () => resolve('none'));
      const settle = (answer: Answer): void => {
        timer.cancel();
        resolve(answer);
      };
      ask(server, body).then(
        ({ allowed }) => settle(allowed === true ? 'yes' : allowed === false ? 'no' : 'none'),
        (error: unknown) => {
          if (!(error instanceof RemoteError))
            log.error({ err: error, partner: server }, 'asking for consent failed');
          settle('none');
        },
      );
    });
  return async (islands, { roomId, servers, newcomers }) => {
    const answers = await Promise.all(
      islands.map(async (island) => {
        // Each is told of everybody but itself.
        const others = (names: readonly string[]): string[] => names.filter((name) => name !== island);
        const body = { room_id: roomId, servers: others(servers), newcomers: others(newcomers) };
        return [island, await answerOf(island, body)] as const;
      }),
    );
    const those = (wanted: Answer): string[] =>
      answers.filter(([, answer]) => answer === wanted).map(([island]) => island);
    const result = { refusedBy: those('no'), unanswered: those('none') };
    log.info({ roomId, newcomers, ...result }, 'asked islands about servers that are to come into a room');
    return result;
  };
}
