import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { HandshakeXX, noiseProtocol } from '../../federation/link/noise/handshake-xx.ts';
import { linkKeyFromSeed } from '../../federation/link/noise/keys.ts';

interface Vector {
  protocol_name: string;
  init_prologue: string;
  init_static: string;
  init_ephemeral: string;
  resp_prologue: string;
  resp_static: string;
  resp_ephemeral: string;
  handshake_hash: string;
  messages: { payload: string; ciphertext: string }[];
}

const directory = process.env['MATRIX_VECTORS_DIR'] ?? path.resolve('../shared/vectors');
const file = path.join(directory, 'noise-xx-25519-aesgcm-sha256.json');

describe('Noise XX: the published vector', () => {
  if (!existsSync(file)) {
    console.warn(`      notice: ${file} is absent, the published Noise vector was not compared`);
    return;
  }
  const { vector } = JSON.parse(readFileSync(file, 'utf8')) as { vector: Vector };
  const hex = (text: string): Buffer => Buffer.from(text, 'hex');
  const key = (text: string) => linkKeyFromSeed(hex(text));

  it('is met byte for byte, both ways', () => {
    assert.equal(vector.protocol_name, noiseProtocol);
    const initiator = new HandshakeXX({
      initiator: true,
      prologue: hex(vector.init_prologue),
      staticKey: key(vector.init_static),
      ephemeralKey: key(vector.init_ephemeral),
    });
    const responder = new HandshakeXX({
      initiator: false,
      prologue: hex(vector.resp_prologue),
      staticKey: key(vector.resp_static),
      ephemeralKey: key(vector.resp_ephemeral),
    });
    for (const [index, message] of vector.messages.slice(0, 3).entries()) {
      const [writer, reader] = index % 2 === 0 ? [initiator, responder] : [responder, initiator];
      const written = writer.write(hex(message.payload));
      assert.equal(written.toString('hex'), message.ciphertext);
      assert.equal(reader.read(written).toString('hex'), message.payload);
    }
    assert.deepEqual(initiator.remoteStatic, key(vector.resp_static).publicKey);
    assert.deepEqual(responder.remoteStatic, key(vector.init_static).publicKey);
    const ends = [initiator.session(), responder.session()] as const;
    for (const end of ends) assert.equal(end.handshakeHash.toString('hex'), vector.handshake_hash);
    assert.ok(vector.messages.length > 3);
    for (const [index, message] of vector.messages.entries()) {
      if (index < 3) continue;
      const [sender, receiver] = index % 2 === 0 ? ends : [ends[1], ends[0]];
      const sealed = sender.send.seal([hex(message.payload)]);
      assert.equal(sealed.toString('hex'), message.ciphertext);
      assert.equal(receiver.receive.open(sealed).toString('hex'), message.payload);
    }
  });
});
