import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { syslogMessage } from '../../server/audit/syslog-format.ts';
import {
  type AuditEvent,
  type AuditRecord,
  ChainVerifier,
  chained,
  chainStart,
} from '../../storage/audit/chain.ts';
import { TestNetwork } from '../support/test-network.ts';
import { until } from '../support/until.ts';

/** A reader of RFC 5424 §6 that is stricter than most. */
function parse(message: string) {
  const head =
    /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) /.exec(
      message,
    );
  assert.ok(head, message);
  const [all, priority, timestamp, hostname, application, , messageId] = head;
  let rest = message.slice(all.length);
  const id = /^\[([!#-<>-\\^-~]{1,32})/.exec(rest);
  assert.ok(id, rest);
  rest = rest.slice(id[0].length);
  const parameters = new Map<string, string>();
  for (;;) {
    const parameter = /^ ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"/.exec(rest);
    if (parameter === null) break;
    const [whole, name = '', value = ''] = parameter;
    parameters.set(name, value.replace(/\\(["\\\]])/g, '$1'));
    rest = rest.slice(whole.length);
  }
  assert.match(rest, /^\] \P{Cc}+$/u);
  return { priority: Number(priority), timestamp, hostname, application, messageId, parameters };
}

/** The line that a message tells of. */
function recordOf(message: string): AuditRecord {
  const { parameters } = parse(message);
  const text = (name: string): string => parameters.get(name) ?? assert.fail(name);
  const subject = parameters.get('subject');
  const detail = parameters.get('detail');
  return {
    seq: Number(text('seq')),
    ts: Number(text('ts')),
    action: text('action'),
    outcome: text('outcome') as AuditRecord['outcome'],
    actor: text('actor'),
    ...(subject === undefined ? {} : { subject }),
    ...(detail === undefined ? {} : { detail: JSON.parse(detail) }),
    prev: text('prev'),
    hash: text('hash'),
  };
}

describe('A syslog message of the audit log', () => {
  const event: AuditEvent = {
    action: 'partner.suspend',
    outcome: 'done',
    actor: '@olga:acme.test',
    subject: 'bolt.test',
    detail: { reason: 'a "quoted" ]bracket[ and \\ back, ünïcödé\nand a line', count: 3 },
  };

  it('is RFC 5424, and says all that the line says', () => {
    const record = chained(event, 7, Date.UTC(2026, 10, 25), 'before');
    const message = syslogMessage(record, 'acme.test');
    const { priority, timestamp, hostname, application, messageId } = parse(message);
    assert.deepEqual(
      [priority, timestamp, hostname, application, messageId],
      [110, '2026-11-25T00:00:00.000Z', 'acme.test', 'archipelago', 'partner.suspend'],
    );
    assert.deepEqual(recordOf(message), record);
  });

  it('has a severity by its outcome, and takes no character that ends or splits it', () => {
    const priorityOf = (outcome: AuditRecord['outcome']) =>
      parse(syslogMessage(chained({ ...event, outcome }, 1, 0, ''), 'acme.test')).priority;
    assert.deepEqual([priorityOf('done'), priorityOf('denied'), priorityOf('failed')], [110, 108, 107]);
    const odd = { ...event, actor: 'a\nb\u0000"]', action: 'x'.repeat(50) };
    const { parameters, messageId } = parse(syslogMessage(chained(odd, 1, 0, ''), 'acme.test'));
    assert.equal(parameters.get('actor'), 'a?b?"]');
    assert.equal(messageId, 'x'.repeat(32));
  });
});

/** A syslog server over TCP: takes octet-counted frames (RFC 6587) and can break connections. */
class Collector {
  readonly #server: Server;
  readonly messages: string[] = [];
  readonly sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      let buffered = Buffer.alloc(0);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('data', (chunk) => {
        buffered = Buffer.concat([buffered, chunk]);
        for (;;) {
          const space = buffered.indexOf(' ');
          const length = Number(buffered.subarray(0, space).toString());
          if (space < 1 || buffered.length < space + 1 + length) break;
          this.messages.push(buffered.subarray(space + 1, space + 1 + length).toString());
          buffered = buffered.subarray(space + 1 + length);
        }
      });
    });
  }

  static async listen(port = 0): Promise<Collector> {
    const server = createServer();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new Collector(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get lines(): AuditRecord[] {
    return this.messages.map(recordOf);
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}

describe('The export of the audit log to a syslog server', () => {
  const line = (subject: string): AuditEvent => ({
    action: 'test.line',
    outcome: 'done',
    actor: 'test',
    subject,
  });

  it('sends every line over TCP, goes on after broken connections and restarts, and keeps the chain', async () => {
    let collector = await Collector.listen();
    const { port } = collector;
    const seen: AuditRecord[] = [];
    const network = await TestNetwork.start(['acme.test'], { auditSyslog: `tcp://127.0.0.1:${port}` });
    try {
      const island = network.island('acme.test');
      await island.homeserver.db.audit.append(Array.from({ length: 250 }, (_, index) => line(`a${index}`)));
      await until(() => collector.lines.some(({ subject }) => subject === 'a249'));
      // Nobody is there for a while: nothing waits for it.
      seen.push(...collector.lines);
      await collector.close();
      await island.homeserver.db.audit.append([line('while nobody listens')]);
      collector = await Collector.listen(port);
      await until(() => collector.lines.some(({ subject }) => subject === 'while nobody listens'));
      await network.restart('acme.test');
      await island.homeserver.db.audit.append([line('after a restart')]);
      await until(() => collector.lines.some(({ subject }) => subject === 'after a restart'));
      await network.stop();
      seen.push(...collector.lines);
      const actions = collector.lines.map(({ action }) => action);
      assert.equal(actions.at(-1), 'island.stop');
      // Each line at least once, few of them twice; without the repetitions it is the chain.
      const distinct = [...new Map(seen.map((record) => [record.seq, record])).values()];
      distinct.sort((one, other) => one.seq - other.seq);
      assert.equal(new ChainVerifier({ seq: 0, hash: chainStart }).check(distinct), undefined);
      assert.ok(seen.length - distinct.length <= 101, `${seen.length - distinct.length} lines came twice`);
    } finally {
      await network.stop();
      await collector.close();
    }
  });

  it('sends over UDP, a datagram each', async () => {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const received: string[] = [];
    socket.on('message', (message) => received.push(message.toString()));
    const address = `udp://127.0.0.1:${socket.address().port}`;
    const network = await TestNetwork.start(['acme.test'], { auditSyslog: address });
    try {
      await network.island('acme.test').homeserver.db.audit.append([line('one')]);
      await until(() => received.map(recordOf).some(({ subject }) => subject === 'one'));
      assert.equal(recordOf(received[0] ?? '').action, 'island.start');
    } finally {
      await network.stop();
      socket.close();
    }
  });
});
