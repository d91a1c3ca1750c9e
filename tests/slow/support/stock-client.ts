import {
  ClientEvent,
  createClient,
  type LoginResponse,
  type MatrixClient,
  type MatrixEvent,
  type Room,
  SyncState,
} from 'matrix-js-sdk';
import { logger } from 'matrix-js-sdk/lib/logger.js';
import { clientServerApi } from '../../support/client.ts';
import { until } from '../../support/until.ts';

/** A person with a stock client: matrix-js-sdk, with nothing of ours between it and the island. */
export class StockClient {
  readonly sdk: MatrixClient;
  readonly userId: string;
  readonly accessToken: string;
  /** Answers to it that the specification does not allow. */
  readonly mistakes: readonly string[];

  private constructor(sdk: MatrixClient, session: LoginResponse, mistakes: readonly string[]) {
    this.sdk = sdk;
    this.userId = session.user_id;
    this.accessToken = session.access_token;
    this.mistakes = mistakes;
  }

  /** Logs in with a password and begins to sync. */
  static async logIn(baseUrl: string, user: string, password: string): Promise<StockClient> {
    hush();
    const mistakes: string[] = [];
    const options = { baseUrl, fetchFn: checkedFetch(mistakes) };
    const session = await createClient(options).loginRequest({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user },
      password,
    });
    const { user_id: userId, device_id: deviceId, access_token: accessToken } = session;
    const sdk = createClient({ ...options, userId, deviceId, accessToken });
    const client = new StockClient(sdk, session, mistakes);
    const ready = new Promise<void>((resolve) => {
      sdk.on(ClientEvent.Sync, (state) => {
        if (state === SyncState.Prepared) resolve();
      });
    });
    await sdk.startClient({ initialSyncLimit: 50 });
    await ready;
    return client;
  }

  /** The room, once `/sync` has told of it with this membership. */
  async room(roomId: string, membership: string): Promise<Room> {
    await until(() => this.sdk.getRoom(roomId)?.getMyMembership() === membership);
    const room = this.sdk.getRoom(roomId);
    if (room === null) throw new Error('The room was there just now');
    return room;
  }

  /** An event of a room's live timeline, once it is there. */
  async sees(roomId: string, eventId: string): Promise<MatrixEvent> {
    let found: MatrixEvent | undefined;
    await until(() => {
      found = this.timeline(roomId).find((event) => event.getId() === eventId);
      return found !== undefined;
    });
    if (found === undefined) throw new Error('The event was there just now');
    return found;
  }

  timeline(roomId: string): MatrixEvent[] {
    return this.sdk.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
  }

  /** Logs out, which also ends its `/sync`. */
  async stop(): Promise<void> {
    await this.sdk.logout(true);
  }
}

/** What an SDK fetches. Answers that are not as the specification's OpenAPI files say go into `mistakes`. */
function checkedFetch(mistakes: string[]): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    const method = init?.method ?? 'GET';
    const { pathname, search } = new URL(String(input));
    const body = Buffer.from(await response.clone().arrayBuffer());
    const problems = await (await clientServerApi())?.problems({
      method,
      path: `${pathname}${search}`,
      status: response.status,
      contentType: response.headers.get('content-type') ?? undefined,
      body,
    });
    if (problems !== undefined && problems.length > 0)
      mistakes.push(`${method} ${pathname}: ${problems.join('; ')} ${body.toString('utf8').slice(0, 1_000)}`);
    return response;
  };
}

/** The SDK tells the console of every request; loggers made from this one are made like it. */
function hush(): void {
  // It is a logger of `loglevel`, which its type does not say.
  const root = logger as typeof logger & { methodFactory: () => () => void; rebuild(): void };
  root.methodFactory = () => () => undefined;
  root.rebuild();
}
