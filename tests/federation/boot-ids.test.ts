import assert from 'node:assert/strict';
import pino from 'pino';
import { BootIds } from '../../federation/boot-ids.ts';

describe('boot ids', () => {
  function watch(): { boots: BootIds; alarms: () => number } {
    const lines: string[] = [];
    const boots = new BootIds(pino({}, { write: (line: string) => lines.push(line) }));
    return { boots, alarms: () => lines.filter((line) => line.includes('"alarm":"two-servers"')).length };
  }

  it('raise an alarm when two servers alternate under one name', () => {
    const { boots, alarms } = watch();
    for (const boot of ['first', 'second', 'first']) boots.heard('b.test', boot);
    assert.equal(alarms(), 1);
  });

  it('are in order when a server starts again, however often, or its link is cut', () => {
    const { boots, alarms } = watch();
    for (let start = 0; start < 30; start++)
      for (let link = 0; link < 3; link++) boots.heard('b.test', `boot${start}`);
    boots.heard('c.test', 'boot3');
    assert.equal(alarms(), 0);
  });
});
