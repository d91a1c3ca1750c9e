import assert from 'node:assert/strict';
import { closest } from '../../config/closest.ts';
import { parseDuration, parseEnd, parseMoment, parseSize } from '../../config/units.ts';

describe('Units of the configuration', () => {
  it('are durations in seconds, minutes, hours, days and weeks', () => {
    assert.deepEqual(
      ['30s', '5m', '2h', '1d', '4w'].map(parseDuration),
      [30_000, 300_000, 7_200_000, 86_400_000, 2_419_200_000],
    );
    for (const text of ['', '5', '0s', '-5m', '5 m', '1.5h', '5M', 'm', '99999999999s'])
      assert.equal(parseDuration(text), undefined, text);
  });

  it('are sizes in bytes and the powers of 1024', () => {
    assert.deepEqual(['7', '512K', '50M', '2G'].map(parseSize), [7, 524_288, 52_428_800, 2_147_483_648]);
    for (const text of ['', '0', '-1', '50MB', '1.5G', '50m', '999999999999G'])
      assert.equal(parseSize(text), undefined, text);
  });

  it('are days, which count to their end, and moments', () => {
    assert.equal(parseEnd('2027-12-31'), Date.UTC(2028, 0, 1));
    assert.equal(parseEnd('2027-12-31T18:00:00Z'), Date.UTC(2027, 11, 31, 18));
    assert.equal(parseMoment('2027-12-31T18:00:00.250Z'), Date.UTC(2027, 11, 31, 18, 0, 0, 250));
    for (const text of [
      '2027-02-30',
      '2027-13-01',
      '31.12.2027',
      '2027-12-31T25:00:00Z',
      '2027-12-31T18:00:00',
    ])
      assert.equal(parseEnd(text), undefined, text);
  });
});

describe('The word that was probably meant', () => {
  const known = ['server_name', 'listeners', 'port', 'partners'];

  it('is the nearest known one', () => {
    for (const [word, meant] of [
      ['servername', 'server_name'],
      ['Server-Name', 'server_name'],
      ['listener', 'listeners'],
      ['prot', 'port'],
      ['partner', 'partners'],
    ])
      assert.equal(closest(word ?? '', known), meant, word);
  });

  it('is none where none is near', () => {
    for (const word of ['', 'x', 'database', 'sport_name'])
      assert.equal(closest(word, known), undefined, word);
  });
});
