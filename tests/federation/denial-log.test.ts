import assert from 'node:assert/strict';
import { DenialLog } from '../../federation/border/denial-log.ts';
import { type Decision, denied, type ViolationCode } from '../../policy/decision.ts';
import type { Question } from '../../policy/question.ts';
import type { AuditEvent } from '../../storage/audit/chain.ts';
import { FakeClock } from '../support/fake-clock.ts';

const minute = 60_000;

function question(local = '@li:acme.test', remote = ['@bo:bolt.test']): Question {
  const person = { userId: local, departments: [] };
  return { action: 'directory', direction: 'outbound', remoteServer: 'bolt.test', local: person, remote };
}

function refusal(code: ViolationCode): Decision {
  return denied(code, 'because', 'homeserver.yaml:3');
}

describe('denials in the audit log', () => {
  let clock: FakeClock;
  let lines: AuditEvent[];
  let log: DenialLog;

  beforeEach(() => {
    clock = new FakeClock();
    lines = [];
    log = new DenialLog({ record: (event) => lines.push(event), clock });
  });

  it('name the action, the people, the codes and the lines of the configuration', () => {
    log.asked(question(), refusal('person_not_exposed'));
    log.asked(question(), { allowed: true });
    assert.deepEqual(lines, [
      {
        action: 'border.deny',
        outcome: 'denied',
        actor: '@li:acme.test',
        subject: 'bolt.test',
        detail: {
          action: 'directory',
          direction: 'outbound',
          codes: ['person_not_exposed'],
          rules: ['homeserver.yaml:3'],
          local: '@li:acme.test',
          remote: ['@bo:bolt.test'],
        },
      },
    ]);
  });

  it('are one line at once and one with their number after a minute, however many there are', () => {
    for (let index = 0; index < 5_000; index++) log.asked(question(), refusal('person_not_exposed'));
    assert.equal(lines.length, 1);
    clock.advance(minute);
    assert.equal(lines.length, 2);
    assert.equal(lines[1]?.detail?.['times'], 4_999);
    clock.advance(10 * minute);
    log.asked(question(), refusal('person_not_exposed'));
    clock.advance(minute);
    assert.equal(lines.length, 3);
  });

  it('cannot fill the disk by being all different', () => {
    for (let index = 0; index < 5_000; index++)
      log.asked(question(`@u${index}:acme.test`), refusal('person_not_exposed'));
    clock.advance(minute);
    assert.equal(lines.length, 201);
    assert.deepEqual(lines.at(-1)?.detail, { action: 'directory', direction: 'outbound', times: 4_800 });
  });

  it('name each event that went into quarantine', () => {
    log.asked(question(), refusal('files_denied'), '$one');
    log.asked(question(), refusal('files_denied'), '$two');
    assert.deepEqual(
      lines.map(({ detail }) => detail?.['event_id']),
      ['$one', '$two'],
    );
  });

  it('sum up what is withheld without anybody asking for it', () => {
    for (let index = 0; index < 100; index++)
      log.asked(question(`@u${index}:acme.test`), refusal('typing_not_shared'));
    clock.advance(minute);
    assert.equal(lines.length, 1);
    clock.advance(60 * minute);
    assert.equal(lines[1]?.detail?.['times'], 99);
    assert.equal(lines[1]?.actor, 'bolt.test');
  });
});
