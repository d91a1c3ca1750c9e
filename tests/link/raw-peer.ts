import { WebSocket } from 'ws';
import {
  endFlag,
  type Frame,
  frameParts,
  frameTypes,
  jsonBytes,
  readFrame,
  readObject,
} from '../../federation/link/frames.ts';
import { linkPrologue } from '../../federation/link/handshake.ts';
import { identityPayload } from '../../federation/link/identity.ts';
import { defaultLinkLimits } from '../../federation/link/limits.ts';
import type { CipherState } from '../../federation/link/noise/cipher-state.ts';
import { HandshakeXX } from '../../federation/link/noise/handshake-xx.ts';
import { generateLinkKey } from '../../federation/link/noise/keys.ts';
import type { LinkPartner } from '../../federation/link/types.ts';
import { linkSubprotocol, upgradeRequest } from '../../federation/link/upgrade-request.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { generateSigningKey } from '../../protocol/signing.ts';
import { random, type TestIsland, until } from './support.ts';

export { endFlag, frameTypes };

export interface RawPeerOptions {
  readonly subprotocols?: readonly string[];
  /** Instead of a complete identity. */
  readonly identity?: (complete: JsonObject) => JsonObject;
  /** The first record; `none` to leave it out. */
  readonly hello?: JsonObject | 'none';
}

/**
 * A partner that speaks frames by hand: an island of another age, or one that means harm. It dials, is known
 * to the island under its name, and says nothing that it is not told to say.
 */
export class RawPeer {
  readonly name: string;
  readonly signingKey = generateSigningKey('ed25519:raw', random);
  readonly linkKey = generateLinkKey(random);
  readonly frames: Frame[] = [];
  closeCode: number | undefined;
  socket: WebSocket | undefined;
  /** The identity that the island sent. */
  identity: JsonObject = {};
  #send: CipherState | undefined;
  #receive: CipherState | undefined;
  #messages: Buffer[] = [];
  readonly #island: TestIsland;

  constructor(island: TestIsland, name = 'raw.test') {
    this.name = name;
    this.#island = island;
    const partner: LinkPartner = {
      serverName: name,
      state: 'active',
      verifyKeys: new Map([[this.signingKey.keyId, { key: this.signingKey.publicKey }]]),
      urls: [],
      dial: 'inbound',
      allowCleartext: false,
      allowPrivateIp: false,
    };
    island.partners.set(name, partner);
  }

  /** The upgrade alone; resolves to the status of the answer, 101 with an open socket. */
  async upgrade(options: RawPeerOptions = {}): Promise<number> {
    const deps = { serverName: this.name, signingKey: this.signingKey, clock: this.#island.clock, random };
    const request = upgradeRequest(deps, this.#island.name);
    const socket = new WebSocket(
      `${this.#island.url}${request.uri}`,
      [...(options.subprotocols ?? [linkSubprotocol])],
      {
        headers: { authorization: request.authorization },
        perMessageDeflate: false,
      },
    );
    this.socket = socket;
    this.closeCode = undefined;
    this.#send = undefined;
    this.#receive = undefined;
    this.#messages = [];
    socket.on('error', () => {});
    socket.on('close', (code) => {
      if (this.socket === socket) this.closeCode = code;
    });
    socket.on('message', (data) => {
      // With the default binary type a message is one Buffer.
      if (this.socket === socket) this.#onMessage(data as Buffer);
    });
    return await new Promise((resolve) => {
      socket.on('open', () => resolve(101));
      socket.on('unexpected-response', (_request, response) => {
        response.destroy();
        resolve(response.statusCode ?? 0);
      });
    });
  }

  /** Upgrade, handshake and hello. */
  async link(options: RawPeerOptions = {}): Promise<this> {
    const status = await this.upgrade(options);
    if (status !== 101) throw new Error(`The upgrade was answered with ${status}`);
    const noise = new HandshakeXX({
      initiator: true,
      prologue: linkPrologue(linkSubprotocol, [this.name, this.#island.name]),
      staticKey: this.linkKey,
      ephemeralKey: generateLinkKey(random),
    });
    this.raw(noise.write(Buffer.alloc(0)));
    await until(() => this.#messages.length > 0, 'the second message');
    this.identity = readObject(noise.read(this.#messages.shift() as Buffer));
    const complete = identityPayload(
      {
        serverName: this.name,
        signingKey: this.signingKey,
        linkPublicKey: this.linkKey.publicKey,
        features: [],
        limits: defaultLinkLimits,
        software: 'raw/1',
      },
      options.subprotocols,
    );
    const identity = readObject(complete);
    this.raw(noise.write(jsonBytes(options.identity?.(identity) ?? identity)));
    const session = noise.session();
    this.#send = session.send;
    this.#receive = session.receive;
    for (const early of this.#messages.splice(0)) this.#onMessage(early);
    if (options.hello !== 'none') this.send(frameTypes.hello, { payload: jsonBytes(options.hello ?? {}) });
    return this;
  }

  send(
    type: number,
    frame: { stream?: number; end?: boolean; header?: JsonObject | Buffer; payload?: Buffer } = {},
  ): void {
    const header = Buffer.isBuffer(frame.header)
      ? frame.header
      : frame.header === undefined
        ? undefined
        : jsonBytes(frame.header);
    this.record(frameParts(type, frame.stream ?? 0, frame.end ?? false, header, frame.payload));
  }

  /** Seals any bytes as the next record. */
  record(parts: readonly Buffer[]): void {
    if (this.#send === undefined) throw new Error('There is no session');
    this.raw(this.#send.seal(parts));
  }

  /** A WebSocket message as it stands. */
  raw(message: Buffer | string): void {
    this.socket?.send(message);
  }

  request(stream: number, header: JsonObject, payload?: Buffer, end = true): void {
    this.send(frameTypes.req, {
      stream,
      end,
      header: { method: 'PUT', uri: '/x', deadline_ms: 60_000, ...header },
      ...(payload === undefined ? {} : { payload }),
    });
  }

  /** Gives all the credit in the world, for the connection and one stream. */
  unlimited(stream: number): void {
    const credit = Buffer.alloc(4);
    credit.writeUInt32BE(2 ** 30);
    this.send(frameTypes.window, { stream: 0, payload: credit });
    this.send(frameTypes.window, { stream, payload: credit });
  }

  of(type: number): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The header of the last frame of this type. */
  header(type: number): JsonObject {
    const last = this.of(type).at(-1);
    return last === undefined ? {} : readObject(last.header);
  }

  end(): void {
    this.socket?.terminate();
  }

  #onMessage(message: Buffer): void {
    if (this.#receive === undefined) this.#messages.push(message);
    else this.frames.push(readFrame(this.#receive.open(message)));
  }
}
