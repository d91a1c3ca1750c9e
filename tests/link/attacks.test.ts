import assert from 'node:assert/strict';
import type { MessageChannel } from '../../federation/link/channel.ts';
import {
  type HandshakeDefences,
  type HandshakeInput,
  HandshakeRefused,
  linkPrologue,
  shakeHands,
} from '../../federation/link/handshake.ts';
import {
  type IdentityChecks,
  identityPayload,
  strictIdentityChecks,
} from '../../federation/link/identity.ts';
import { defaultLinkLimits } from '../../federation/link/limits.ts';
import { strictCipher } from '../../federation/link/noise/cipher-state.ts';
import { HandshakeXX } from '../../federation/link/noise/handshake-xx.ts';
import { generateLinkKey, type LinkKeyPair, x25519 } from '../../federation/link/noise/keys.ts';
import type { LinkPartner } from '../../federation/link/types.ts';
import { generateSigningKey, type SigningKey } from '../../protocol/signing.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { random } from './support.ts';
import { unauthenticatedCipher } from './weak-cipher.ts';

const clock = new FakeClock();
const v1 = 'island-link.v1';

interface Party {
  readonly name: string;
  readonly signingKey: SigningKey;
  readonly linkKey: LinkKeyPair;
}

function party(name: string): Party {
  return { name, signingKey: generateSigningKey('ed25519:1', random), linkKey: generateLinkKey(random) };
}

/** How `of` stands in somebody's configuration, under another name or with other keys if need be. */
function pin(of: Party, changes: Partial<LinkPartner> = {}): LinkPartner {
  return {
    serverName: of.name,
    state: 'active',
    verifyKeys: new Map([[of.signingKey.keyId, { key: of.signingKey.publicKey }]]),
    urls: [],
    dial: 'both',
    allowCleartext: false,
    allowPrivateIp: false,
    ...changes,
  };
}

function own(of: Party): HandshakeInput['own'] {
  return {
    serverName: of.name,
    signingKey: of.signingKey,
    linkPublicKey: of.linkKey.publicKey,
    features: ['lanes'],
    limits: defaultLinkLimits,
    software: 'test/1',
  };
}

function input(
  role: HandshakeInput['role'],
  me: Party,
  partner: LinkPartner,
  defences: HandshakeDefences,
  changes: Partial<HandshakeInput> = {},
): HandshakeInput {
  const offers = [v1];
  return {
    role,
    own: own(me),
    staticKey: me.linkKey,
    partner,
    subprotocol: v1,
    offers,
    clock,
    random,
    defences,
    ...changes,
  };
}

/** What happens to a message on its way; undefined lets it pass. */
type OnTheWay = (message: Buffer, index: number) => Buffer | undefined;

class End implements MessageChannel {
  other: End | undefined;
  readonly sent: Buffer[] = [];
  readonly #onTheWay: OnTheWay | undefined;
  readonly #arrived: Buffer[] = [];
  #wake: (() => void) | undefined;

  constructor(onTheWay?: OnTheWay) {
    this.#onTheWay = onTheWay;
  }

  send(message: Buffer): void {
    const passed = this.#onTheWay?.(message, this.sent.length) ?? message;
    this.sent.push(message);
    this.other?.take(passed);
  }

  take(message: Buffer): void {
    this.#arrived.push(message);
    this.#wake?.();
  }

  async receive(): Promise<Buffer> {
    while (this.#arrived.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#arrived.shift() as Buffer; // It is not empty.
  }
}

function wire(fromDialler?: OnTheWay, fromAcceptor?: OnTheWay): { dialler: End; acceptor: End } {
  const dialler = new End(fromDialler);
  const acceptor = new End(fromAcceptor);
  dialler.other = acceptor;
  acceptor.other = dialler;
  return { dialler, acceptor };
}

/** Both ends; who refuses ends the attempt, as a closed socket would. */
async function meet(
  ends: { dialler: End; acceptor: End },
  dialler: HandshakeInput,
  acceptor: HandshakeInput,
): Promise<{
  dialler: Awaited<ReturnType<typeof shakeHands>>;
  acceptor: Awaited<ReturnType<typeof shakeHands>>;
}> {
  const [one, two] = await Promise.all([
    shakeHands(ends.dialler, dialler),
    shakeHands(ends.acceptor, acceptor),
  ]);
  return { dialler: one, acceptor: two };
}

function without(...names: (keyof IdentityChecks)[]): IdentityChecks {
  const off = Object.fromEntries(names.map((name) => [name, () => true]));
  return { ...strictIdentityChecks, ...off };
}

const namelessPrologue: typeof linkPrologue = (subprotocol) => linkPrologue(subprotocol, []);

/** The attack goes through if it resolves. */
type Attack = (defences: HandshakeDefences) => Promise<unknown>;

function refuses(
  title: string,
  attack: Attack,
  steps: readonly { readonly off: HandshakeDefences; readonly refused: string }[],
  undefended: HandshakeDefences,
): void {
  for (const { off, refused } of steps) {
    const how = Object.keys(off).length === 0 ? '' : ' (by the next defence)';
    it(`refuses ${title}: ${refused}${how}`, async () => {
      await assert.rejects(attack(off), (error) => {
        assert.ok(error instanceof HandshakeRefused, String(error));
        assert.equal(error.reason, refused);
        return true;
      });
    });
  }
  it(`would fall for ${title} without that`, async () => {
    await attack(undefended);
  });
}

describe('link: attacks on the handshake', () => {
  const acme = party('acme.test');
  const bolt = party('bolt.test');
  const mallory = party('mallory.test');

  it('succeeds between partners, who then know each other', async () => {
    const met = await meet(
      wire(),
      input('dialler', acme, pin(bolt), {}),
      input('acceptor', bolt, pin(acme), {}),
    );
    assert.equal(met.dialler.peer.serverName, 'bolt.test');
    assert.equal(met.acceptor.peer.serverName, 'acme.test');
    assert.deepEqual(met.dialler.peer.features, ['lanes']);
    assert.deepEqual(met.dialler.session.handshakeHash, met.acceptor.session.handshakeHash);
    const record = met.dialler.session.send.seal([Buffer.from('hi')]);
    assert.equal(met.acceptor.session.receive.open(record).toString(), 'hi');
  });

  const fixedEphemeral = generateLinkKey(random);
  refuses(
    'the replay of a recorded handshake',
    async (defences) => {
      const recording = wire();
      await meet(
        recording,
        input('dialler', acme, pin(bolt), {}),
        input('acceptor', bolt, pin(acme), defences),
      );
      const replay = new End();
      for (const message of recording.dialler.sent) replay.take(message);
      await shakeHands(replay, input('acceptor', bolt, pin(acme), defences));
    },
    [{ off: {}, refused: 'decrypt' }],
    { ephemeralKey: () => fixedEphemeral },
  );

  refuses(
    'the reflection of a dial to the dialler itself',
    (defences) =>
      meet(wire(), input('dialler', acme, pin(bolt), defences), input('acceptor', acme, pin(bolt), defences)),
    [
      { off: {}, refused: 'decrypt' },
      { off: { prologue: namelessPrologue }, refused: 'self' },
      { off: { prologue: namelessPrologue, identity: without('self') }, refused: 'wrong-name' },
    ],
    { prologue: namelessPrologue, identity: without('self', 'wrong-name', 'unpinned-key') },
  );

  it('refuses its own message sent back', async () => {
    const echo = new End();
    echo.other = echo;
    await assert.rejects(shakeHands(echo, input('dialler', acme, pin(bolt), {})), { reason: 'short' });
  });

  refuses(
    'a connection to itself, with its own name among its partners',
    (defences) =>
      meet(wire(), input('dialler', acme, pin(acme), defences), input('acceptor', acme, pin(acme), defences)),
    [{ off: {}, refused: 'self' }],
    { identity: without('self') },
  );

  // Mallory has given Acme the public key of Bolt as its own, and passes Acme's dial on to Bolt.
  const posing = pin(mallory, { verifyKeys: pin(bolt).verifyKeys });
  refuses(
    'an unknown key share: a partner passes the dial on to another',
    (defences) =>
      meet(
        wire(),
        input('dialler', acme, posing, defences),
        input('acceptor', bolt, pin(mallory, { verifyKeys: pin(acme).verifyKeys }), defences),
      ),
    [
      { off: {}, refused: 'decrypt' },
      { off: { prologue: namelessPrologue }, refused: 'wrong-name' },
    ],
    { prologue: namelessPrologue, identity: without('wrong-name') },
  );

  refuses(
    'a downgrade: a stripped offer of a newer version',
    (defences) =>
      meet(
        wire(),
        input('dialler', acme, pin(bolt), defences, { offers: ['island-link.v2', v1] }),
        input('acceptor', bolt, pin(acme), defences, { offers: [v1] }),
      ),
    [{ off: {}, refused: 'downgrade' }],
    { identity: without('downgrade') },
  );

  refuses(
    'a downgrade: an altered choice of the version',
    (defences) =>
      meet(
        wire(),
        input('dialler', acme, pin(bolt), defences),
        input('acceptor', bolt, pin(acme), defences, { subprotocol: 'island-link.v2' }),
      ),
    [{ off: {}, refused: 'decrypt' }],
    { prologue: (_subprotocol, names) => linkPrologue('', names) },
  );

  refuses(
    'a downgrade: an altered feature in an identity',
    async (defences) => {
      const text = identityPayload(own(bolt)).toString();
      // After the ephemeral key and the sealed static key.
      const at = 32 + 48 + text.indexOf('lanes');
      const flip: OnTheWay = (message, index) => {
        if (index > 0) return undefined;
        const altered = Buffer.from(message);
        altered.writeUInt8(altered.readUInt8(at) ^ 1, at);
        return altered;
      };
      const met = await meet(
        wire(undefined, flip),
        input('dialler', acme, pin(bolt), defences),
        input('acceptor', bolt, pin(acme), defences),
      );
      assert.deepEqual(met.dialler.peer.features, ['manes']);
    },
    [{ off: {}, refused: 'decrypt' }],
    { cipher: unauthenticatedCipher },
  );

  refuses(
    'a substituted ephemeral key: somebody in the middle with keys of his own and the identity of Bolt',
    async (defences) => {
      const { dialler, acceptor } = wire();
      const inTheMiddle = async (): Promise<void> => {
        const noise = new HandshakeXX({
          initiator: false,
          prologue: linkPrologue(v1, ['acme.test', 'bolt.test']),
          staticKey: mallory.linkKey,
          ephemeralKey: generateLinkKey(random),
        });
        noise.read(await acceptor.receive());
        // Bolt's own payload, as Mallory got it over a link of its own.
        acceptor.send(noise.write(identityPayload(own(bolt))));
      };
      await Promise.all([shakeHands(dialler, input('dialler', acme, pin(bolt), defences)), inTheMiddle()]);
    },
    [{ off: {}, refused: 'bad-link-key-signature' }],
    { identity: without('bad-link-key-signature') },
  );

  const zeros = Buffer.alloc(32);
  const anyOrder: typeof x25519 = (pair, point) => (point.equals(zeros) ? zeros : x25519(pair, point));
  refuses(
    'a point of low order: keys with which the session is secret from nobody',
    async (defences) => {
      const { dialler, acceptor } = wire();
      const nobody = { publicKey: zeros, privateKey: mallory.linkKey.privateKey };
      const attacker = async (): Promise<void> => {
        const noise = new HandshakeXX({
          initiator: true,
          prologue: linkPrologue(v1, ['mallory.test', 'acme.test']),
          staticKey: nobody,
          ephemeralKey: nobody,
          dh: () => zeros,
        });
        dialler.send(noise.write(Buffer.alloc(0)));
        noise.read(await dialler.receive());
        dialler.send(noise.write(identityPayload({ ...own(mallory), linkPublicKey: zeros })));
      };
      await Promise.race([
        shakeHands(acceptor, input('acceptor', acme, pin(mallory), defences)),
        attacker().then(() => new Promise(() => {})),
      ]);
    },
    [{ off: {}, refused: 'low-order' }],
    { dh: anyOrder },
  );

  const unannounced: Party = { ...bolt, signingKey: generateSigningKey('ed25519:1', random) };
  refuses(
    'a key that is not pinned',
    (defences) =>
      meet(
        wire(),
        input('dialler', acme, pin(bolt), defences),
        input('acceptor', unannounced, pin(acme), defences),
      ),
    [{ off: {}, refused: 'unpinned-key' }],
    { identity: without('unpinned-key') },
  );

  refuses(
    'a pinned key whose time is over',
    (defences) => {
      const old = new Map([['ed25519:1', { key: bolt.signingKey.publicKey, validUntil: clock.now() - 1 }]]);
      return meet(
        wire(),
        input('dialler', acme, pin(bolt, { verifyKeys: old }), defences),
        input('acceptor', bolt, pin(acme), defences),
      );
    },
    [{ off: {}, refused: 'unpinned-key' }],
    { identity: without('unpinned-key') },
  );

  describe('records', () => {
    const records = async (defences: HandshakeDefences) => {
      const met = await meet(
        wire(),
        input('dialler', acme, pin(bolt), defences),
        input('acceptor', bolt, pin(acme), defences),
      );
      const sealed = ['one', 'two'].map((text) => met.dialler.session.send.seal([Buffer.from(text)]));
      return { ...met, first: sealed[0] as Buffer, second: sealed[1] as Buffer };
    };

    it('refuses a replayed, a lost, a reordered and a reflected record', async () => {
      const replayed = await records({});
      replayed.acceptor.session.receive.open(replayed.first);
      assert.throws(() => replayed.acceptor.session.receive.open(replayed.first), { code: 'decrypt' });
      const lost = await records({});
      assert.throws(() => lost.acceptor.session.receive.open(lost.second), { code: 'decrypt' });
      const reflected = await records({});
      assert.throws(() => reflected.dialler.session.receive.open(reflected.first), { code: 'decrypt' });
    });

    it('would take a replayed record if the nonce stood still', async () => {
      const { acceptor, first } = await records({ cipher: { ...strictCipher, step: 0 } });
      for (let times = 0; times < 2; times += 1)
        assert.equal(acceptor.session.receive.open(first).toString(), 'one');
    });
  });
});
