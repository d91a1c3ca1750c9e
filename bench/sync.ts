import type { Checkout } from './checkout.ts';
import { HttpConnection } from './http-connection.ts';
import { BenchIsland } from './island.ts';
import type { Report } from './report.ts';
import { percentile, rounded } from './statistics.ts';

const members = 1_000;
const waiting = 200;
/** Messages in each run. */
const rounds = 20;

interface Measurement {
  /** Milliseconds from the beginning of the send to the answer of a waiting client. */
  readonly times: readonly number[];
  /** Milliseconds of the island's processor time for one message and its answers. */
  readonly cpuMs: number;
}

/** A room of a thousand, two hundred of whom wait in `/sync`; how long until a message has reached them. */
export async function benchSync(checkouts: readonly Checkout[], runs: number): Promise<Report> {
  const meetings: Meeting[] = [];
  try {
    for (const checkout of checkouts) meetings.push(await Meeting.open(checkout));
    for (const meeting of meetings) await meeting.measure(rounds);
    const found = meetings.map((meeting) => ({ meeting, runs: [] as Measurement[] }));
    for (let run = 0; run < runs; run += 1)
      for (const { meeting, runs } of found) runs.push(await meeting.measure(rounds));
    return report(found.map(({ meeting, runs }) => ({ name: meeting.name, runs })));
  } finally {
    for (const meeting of meetings) await meeting.close();
  }
}

/** One island with its room, its sender and the clients that wait. */
class Meeting {
  readonly name: string;
  readonly #island: BenchIsland;
  readonly #roomId: string;
  readonly #sender: Client;
  readonly #clients: readonly Client[];
  #sent = 0;

  private constructor(island: BenchIsland, roomId: string, sender: Client, clients: readonly Client[]) {
    this.name = island.checkout.name;
    this.#island = island;
    this.#roomId = roomId;
    this.#sender = sender;
    this.#clients = clients;
  }

  static async open(checkout: Checkout): Promise<Meeting> {
    const island = await BenchIsland.create(checkout);
    try {
      const { roomId, tokens } = await island.seed(members, waiting + 1, 50);
      await island.start();
      const [sender, ...clients] = tokens.map((token) => new Client(island.port, token));
      if (sender === undefined) throw new Error('Nobody to send');
      // One after the other: a first sync of a room of a thousand is not what is measured.
      for (const client of clients) await client.sync(0);
      return new Meeting(island, roomId, sender, clients);
    } catch (error) {
      await island.remove();
      throw error;
    }
  }

  async measure(messages: number): Promise<Measurement> {
    const times: number[] = [];
    let cpuMs = 0;
    for (let message = 0; message < messages; message += 1) {
      await Promise.all([this.#sender, ...this.#clients].map((client) => client.connect()));
      const answers = this.#clients.map((client) => client.sync(30_000));
      // The island has read all of the requests when it has answered one that came after them.
      await this.#sender.whoami();
      const cpuBefore = this.#island.process.cpuMs;
      const started = performance.now();
      const noteTime = (): number => times.push(performance.now() - started);
      for (const answer of answers) void answer.then(noteTime);
      await this.#sender.send(this.#roomId, `m${this.#sent++}`);
      const bodies = await Promise.all(answers);
      cpuMs += this.#island.process.cpuMs - cpuBefore;
      if (!bodies.every((body) => body.includes(`"m${this.#sent - 1}"`)))
        throw new Error('A client was answered without the message');
    }
    return { times, cpuMs: cpuMs / messages };
  }

  async close(): Promise<void> {
    for (const client of [this.#sender, ...this.#clients]) client.close();
    await this.#island.remove();
  }
}

class Client {
  readonly #port: number;
  readonly #token: string;
  #connection: HttpConnection | undefined;
  #since = '';

  constructor(port: number, token: string) {
    this.#port = port;
    this.#token = token;
  }

  /** Makes sure that the next request does not have to wait for a connection. */
  async connect(): Promise<HttpConnection> {
    if (this.#connection?.isFresh) return this.#connection;
    this.#connection?.close();
    this.#connection = await HttpConnection.open(this.#port);
    return this.#connection;
  }

  /** Gives the text of the answer: parsing it would take longer than what is measured. */
  async sync(timeout: number): Promise<string> {
    const since = this.#since === '' ? '' : `&since=${this.#since}`;
    const path = `/_matrix/client/v3/sync?timeout=${timeout}${since}`;
    const connection = await this.connect();
    const { status, body } = await connection.request('GET', path, this.#token);
    if (status !== 200) throw new Error(`/sync answered ${status}: ${body}`);
    this.#since = encodeURIComponent(/"next_batch":"([^"]*)"/.exec(body)?.[1] ?? '');
    return body;
  }

  async whoami(): Promise<void> {
    const connection = await this.connect();
    await connection.json('GET', '/_matrix/client/v3/account/whoami', this.#token);
  }

  async send(roomId: string, text: string): Promise<void> {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${text}`;
    const connection = await this.connect();
    await connection.json('PUT', path, this.#token, { msgtype: 'm.text', body: text });
  }

  close(): void {
    this.#connection?.close();
  }
}

function report(found: readonly { name: string; runs: readonly Measurement[] }[]): Report {
  const rows = found.map(({ name, runs }) => {
    const times = runs.flatMap((run) => run.times);
    const cpuMs = runs.reduce((sum, run) => sum + run.cpuMs, 0) / runs.length;
    return { name, p50: percentile(times, 0.5), p99: percentile(times, 0.99), cpuMs };
  });
  return {
    name: 'sync',
    about: `from a send to the answers of ${waiting} waiting clients, in a room of ${members.toLocaleString('en')}`,
    columns: ['server', 'p50 ms', 'p99 ms', 'CPU ms for each message'],
    rows: rows.map(({ name, p50, p99, cpuMs }) => [name, p50, p99, cpuMs]),
    requirements: [],
    measurements: rows.map(({ name, p50, p99, cpuMs }) => ({
      name,
      p50: rounded(p50),
      p99: rounded(p99),
      cpuMs: rounded(cpuMs),
    })),
  };
}
