import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Pdu, type RoomEvent, type StateKey, stateKeyOf } from '../../../protocol/event.ts';
import type { RoomVersionId } from '../../../protocol/room-versions.ts';
import { resolveState } from '../../../protocol/state-resolution/resolve.ts';
import { versionOf } from '../../support/auth-room.ts';
import { referenceResolution } from '../../support/reference-resolution.ts';

interface NamedPdu extends Pdu {
  event_id: string;
  room_id: string;
}

interface Case {
  readonly name: string;
  readonly algorithm: 'v2' | 'v2.1';
  readonly pdus: readonly NamedPdu[];
  readonly state_sets: readonly (readonly string[])[];
  readonly expected: readonly string[];
}

const directory = process.env['MATRIX_VECTORS_DIR'] ?? path.resolve('../shared/vectors');
const file = path.join(directory, 'state-resolution-msc4297.json');

describe('state resolution: the cases of MSC4297', () => {
  if (!existsSync(file)) {
    console.warn(`      notice: ${file} is absent, its cases were not compared`);
    return;
  }
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: readonly Case[] };

  it('are there for both algorithms', () => {
    assert.deepEqual(new Set(cases.map(({ algorithm }) => algorithm)), new Set(['v2', 'v2.1']));
  });

  for (const { name, algorithm, pdus, state_sets, expected } of cases) {
    it(name, () => {
      const events = new Map<string, RoomEvent>();
      for (const { event_id: eventId, ...pdu } of pdus) {
        events.set(eventId, { eventId, roomId: pdu.room_id, pdu, rejected: false });
      }
      const create = pdus.find((pdu) => pdu.type === 'm.room.create');
      // The file names versions that we speak: that of the algorithm is compared below.
      const version = versionOf(create?.content['room_version'] as RoomVersionId);
      assert.equal(version.stateResolution, algorithm);
      const sets = state_sets.map((ids) => {
        const state = new Map<StateKey, string>();
        for (const id of ids) {
          const event = events.get(id);
          assert.ok(event, id);
          state.set(stateKeyOf(event.pdu.type, event.pdu.state_key ?? ''), id);
        }
        return state;
      });
      const resolved = resolveState(version, sets, (id) => events.get(id));
      assert.deepEqual([...resolved.values()].sort(), [...expected].sort());
      assert.deepEqual(new Map(resolved), referenceResolution(version, sets, events));
    });
  }
});
