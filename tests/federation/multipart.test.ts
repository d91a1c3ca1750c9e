import assert from 'node:assert/strict';
import { MultipartError, multipartOf, readMultipart } from '../../federation/media/multipart.ts';

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const boundary = 'b0undary';
const contentType = `multipart/mixed; boundary=${boundary}`;

describe('files between servers', () => {
  const file = Buffer.from(`PNG\r\n--b0undar\r\n\0\xff--${'x'.repeat(500)}\r\n--b0`, 'latin1');

  async function wire(): Promise<Buffer> {
    return collect(
      multipartOf(
        { contentType: 'image/png', fileName: "Plän (1)'s.png", stream: chunks(file, 100) },
        boundary,
      ),
    );
  }

  it('arrive byte for byte, in whatever pieces they come', async () => {
    const bytes = await wire();
    for (const size of [1, 2, 7, 64, bytes.length]) {
      const read = await readMultipart(contentType, chunks(bytes, size), file.length);
      assert.equal(read.contentType, 'image/png');
      assert.equal(read.fileName, "Plän (1)'s.png");
      assert.deepEqual(await collect(read.stream), file);
    }
  });

  it('stop at the size that the caller takes', async () => {
    const read = await readMultipart(contentType, chunks(await wire(), 64), file.length - 1);
    await assert.rejects(collect(read.stream), MultipartError);
  });

  it('that break off are an error, not a short file', async () => {
    const bytes = await wire();
    const read = await readMultipart(contentType, chunks(bytes.subarray(0, -40), 64), file.length);
    await assert.rejects(collect(read.stream), MultipartError);
  });

  it('say where a file is that is not sent along', async () => {
    const text = `--${boundary}\r\nContent-Type: application/json\r\n\r\n{}\r\n--${boundary}\r\nLocation: https://x.example/a\r\n\r\n\r\n--${boundary}--`;
    const read = await readMultipart(contentType, chunks(Buffer.from(text), 9), 10);
    assert.equal(read.location, 'https://x.example/a');
  });

  it('that are no two parts are refused', async () => {
    const endless = chunks(Buffer.alloc(200_000, 'x'), 1000);
    await assert.rejects(readMultipart(contentType, endless, 10), MultipartError);
    await assert.rejects(readMultipart('text/html', chunks(Buffer.from('x'), 1), 10), MultipartError);
    const one = Buffer.from(`--${boundary}\r\n\r\n{}\r\n--${boundary}--`);
    await assert.rejects(readMultipart(contentType, chunks(one, 5), 10), MultipartError);
  });

  it('cannot smuggle a header through their type', async () => {
    const bytes = await collect(
      multipartOf(
        { contentType: 'text/plain\r\nLocation: https://evil.example', stream: chunks(file, 99) },
        boundary,
      ),
    );
    const read = await readMultipart(contentType, chunks(bytes, 50), file.length);
    assert.equal(read.location, undefined);
    assert.equal(read.contentType, 'application/octet-stream');
  });
});
