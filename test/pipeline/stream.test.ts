/** The library: a stream of steps and results, on threads of its own. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  degrade,
  loadClassifier,
  loadModel,
  NonFiniteError,
  operators,
  restore,
  tensor,
  tilingFor,
  type Job,
  type RestoreEvent,
  type SessionOptions,
  type StreamOptions,
  type Tiling,
} from '../../src/index.ts';
import { writeShrinking } from '../cli/models.ts';
import { picture } from '../cli/harness.ts';
import { writeClassifier } from '../helpers/classifiers.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { batches } from '../../src/pipeline/batches.ts';
import { peakBytes } from '../../src/onnx/peak.ts';
import { footprint } from '../../src/pipeline/footprint.ts';
import { ahead, merge } from '../../src/pipeline/streams.ts';
import { GraphBuilder } from '../../src/onnx/builder.ts';

const folder = temporaryFolder();
const model = await loadModel(writeShrinking(join(folder, 'model.onnx')));
const operator = operators.gaussianBlur({ size: 5, std: 1 });
const jobs = await Promise.all(
  ['a', 'b', 'c', 'd', 'e'].map(async (name, i) => {
    const how = { sigma: 0.05, seed: 0, name };
    return { name, operator, measurement: await degrade(operator, picture(16, i), how) };
  }),
);
const options: StreamOptions = {
  model,
  method: { name: 'dsg', rate: 0.1, interval: 1 },
  sampler: { name: 'ddim', eta: 1 },
  steps: 4,
  seed: 0,
};

async function collect(
  given: Partial<StreamOptions> = {},
  of: readonly Job[] = jobs,
): Promise<RestoreEvent[]> {
  const events: RestoreEvent[] = [];
  for await (const event of restore(of, { ...options, ...given })) events.push(event);
  return events;
}

/** Results by name, as plain numbers. */
function resultsOf(events: readonly RestoreEvent[]): Record<string, number[]> {
  const results = events.filter((e) => e.type === 'result');
  return Object.fromEntries(results.map(({ job, image }) => [job.name, [...image.data]]));
}

describe('restore', () => {
  afterEach(() => void vi.restoreAllMocks());

  it.each<Partial<StreamOptions>>([
    { lanes: 2 },
    { lanes: 4 },
    { batch: 2 },
    { batch: 5, lanes: 3 },
    { batch: 'auto', lanes: 2 },
    { session: { threads: 1 } },
  ])('gives the same bytes with %j', async (given) => {
    expect(resultsOf(await collect(given))).toEqual(resultsOf(await collect()));
  });

  it('takes no more than a network takes that is exported for one image, and says so', async () => {
    const closed = await loadModel(writeShrinking(join(folder, 'one.onnx'), { open: false }));
    const found = resultsOf(await collect({ model: closed, batch: 'auto' }));
    expect(Object.keys(found)).toEqual(jobs.map(({ name }) => name));
    const given = { model: closed, batch: 2, session: { device: 'cpu' } } as const;
    await expect(collect(given)).rejects.toMatchObject({
      message: expect.stringMatching(/one\.onnx: takes batches of 1 only, not of 2/),
      hint: 'add --batch 1, or export the model with an open batch axis',
    });
  });

  it('takes no more than a classifier takes that is exported for one image', async () => {
    const file = join(folder, 'classifier.onnx');
    const image = [3, 16, 16] as const;
    const classifier = await loadClassifier(writeClassifier(file, { image, single: true }));
    const given = { classifier: { classifier, class: 0, scale: 1 }, batch: 'auto' } as const;
    const found = resultsOf(await collect(given));
    expect(Object.keys(found)).toEqual(jobs.map(({ name }) => name));
  });

  it('with averaged steps too, as many of which are told as there are', async () => {
    const method = { name: 'pigdm', average: 3, averageAt: 0.1 } as const;
    const events = await collect({ method, steps: 6 });
    const taken = events.flatMap((e) => (e.type === 'step' && e.jobs[0].name === 'a' ? [e] : []));
    expect(taken.map((e) => e.taken)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(taken.map((e) => e.progress.step.index)).toEqual([3, 2, 1, 0, 0, 0]);
    expect(taken.at(-1)!.progress.step.timestep).toBe(100);
    const batched = await collect({ method, steps: 6, batch: 3, lanes: 2 });
    expect(resultsOf(batched)).toEqual(resultsOf(events));
  });

  it('tells every step of every image, and prints nothing', async () => {
    const out = vi.spyOn(process.stdout, 'write');
    const err = vi.spyOn(process.stderr, 'write');
    const events = await collect();
    expect([out.mock.calls, err.mock.calls]).toEqual([[], []]);
    const one = ['start', 'step', 'step', 'step', 'step', 'result'];
    expect(events.map((e) => e.type)).toEqual(jobs.flatMap(() => one));
    const losses = events.flatMap((e) => (e.type === 'step' ? [e.progress.loss?.[0]] : []));
    expect(losses.every((loss) => loss !== undefined && loss > 0)).toBe(true);
  });

  it('stops between steps when aborted, with the reason', async () => {
    const abort = new AbortController();
    const reason = new Error('enough');
    let steps = 0;
    const run = async () => {
      for await (const event of restore(jobs, { ...options, lanes: 2, signal: abort.signal }))
        if (event.type === 'step' && ++steps === 3) abort.abort(reason);
    };
    await expect(run()).rejects.toBe(reason);
    expect(steps).toBeLessThan(6);
  });

  it('names the step where an image diverges, as a kind of error of its own', async () => {
    const [sound, other] = [jobs[0]!, jobs[1]!];
    const measurement = tensor(
      sound.measurement.shape,
      sound.measurement.data.slice().fill(Infinity, 0, 1),
    );
    const events: RestoreEvent[] = [];
    for await (const event of restore([{ ...sound, measurement }, other], { ...options, batch: 2 }))
      events.push(event);
    const [failure] = events.filter((event) => event.type === 'failure');
    expect(failure?.job.name).toBe('a');
    expect(failure?.error).toBeInstanceOf(NonFiniteError);
    expect(failure?.error.step.index).toBe(3); // Counted down: the first of four.
    expect(Object.keys(resultsOf(events))).toEqual(['b']);
  });

  it('sees images through windows of the size asked for', async () => {
    const tiling: Tiling = tilingFor(model, { size: 8 });
    expect(tiling).toEqual({ window: { height: 8, width: 8 }, overlap: 2 });
    const session: SessionOptions = { device: undefined, threads: 1 };
    const [whole, windows] = [await collect(), await collect({ tiling, session })].map(resultsOf);
    expect(Object.keys(windows!)).toEqual(jobs.map(({ name }) => name));
    expect(windows).not.toEqual(whole);
  });

  it.each([{ lanes: 0 }, { lanes: 1.5 }, { batch: 0 }, { batch: NaN }])(
    'refuses %j',
    async (given) => {
      await expect(collect(given)).rejects.toThrow(/expected a whole number from 1/);
    },
  );

  it('refuses measurements that are none of the model, before they could be broadcast', async () => {
    const [first] = jobs as [(typeof jobs)[0]];
    const grey = { ...first, measurement: tensor([1, 16, 16], new Float32Array(256)) };
    for (const batch of [1, 'auto'] as const)
      await expect(collect({ batch }, [grey])).rejects.toThrow(
        /a: a measurement \[1,16,16\], expected \[3,16,16\] of images \[3,16,16\]/,
      );
  });

  it.each([1.5, -1, NaN])('refuses seed %d', async (seed) => {
    await expect(collect({ seed })).rejects.toThrow(/seed \S+, expected an integer from 0/);
  });

  it('ends its threads where an option is refused, so that the process can end', async () => {
    const threads = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length;
    const before = threads();
    await expect(collect({ steps: 1001, lanes: 2 })).rejects.toThrow(/cannot sample in 1001 steps/);
    expect(threads()).toBe(before);
  });

  it('takes jobs no further ahead than its lanes need, and lets go of them when left', async () => {
    let [taken, closed] = [0, false];
    function* counted() {
      try {
        for (;;) yield { ...(jobs[0] as (typeof jobs)[0]), name: `${taken++}` };
      } finally {
        closed = true;
      }
    }
    let results = 0;
    for await (const event of restore(counted(), { ...options, lanes: 2 })) {
      if (event.type !== 'result') continue;
      expect(taken).toBeLessThanOrEqual(results + 7);
      if (++results === 6) break;
    }
    expect(closed).toBe(true);
  });
});

describe('streams', () => {
  async function* counting(n: number, log: string[] = []): AsyncGenerator<number> {
    for (let i = 0; i < n; i++) {
      log.push(`made ${i}`);
      yield i;
    }
  }

  it('ahead keeps the order, and makes the next while one is used', async () => {
    const log: string[] = [];
    for await (const i of ahead(counting(3, log), 1)) {
      await new Promise(setImmediate);
      log.push(`used ${i}`);
    }
    expect(log).toEqual(['made 0', 'made 1', 'used 0', 'made 2', 'used 1', 'used 2']);
  });

  it('merge gives all values, each source in its order', async () => {
    const all: number[] = [];
    for await (const i of merge([counting(3), counting(2), counting(0)])) all.push(i);
    expect(all.sort()).toEqual([0, 0, 1, 1, 2]);
  });

  it('batches groups neighbours of one kind, and asks for the limit once a kind', async () => {
    const other = { ...(jobs[0] as (typeof jobs)[0]), method: { name: 'none' } as const };
    const asked = vi.fn<() => number>(() => 2);
    const sizes: number[] = [];
    for await (const batch of batches([...jobs.slice(0, 3), other, ...jobs.slice(3)], asked))
      sizes.push(batch.length);
    expect([sizes, asked.mock.calls.length]).toEqual([[2, 1, 1, 2], 2]);
  });
});

describe('footprint', () => {
  it('counts what is alive at once', () => {
    const b = new GraphBuilder();
    const x = b.input('x', 'float32', [10]);
    const long = b.op('Relu', [x]);
    const short = b.op('Neg', [b.op('Exp', [long])]);
    b.output(b.add(long, short), 'y');
    // x dies in Relu; long, Exp and Neg are alive together, or long, Neg and y.
    expect(peakBytes(b.graph)).toBe(3 * 40);
  });

  it('grows with the image', async () => {
    const large = operators.gaussianBlur({ size: 5, std: 1 });
    const of = (size: number) =>
      footprint({ name: '', operator: large, measurement: picture(size) }, { model });
    const [small, double] = [await of(16), await of(32)];
    expect(double.perImage / small.perImage).toBeGreaterThan(3);
  });
});

const root = join(import.meta.dirname, '../..');

it.skipIf(!existsSync(join(root, 'dist/index.js')))('examples/server.js serves', async () => {
  const server = spawn(process.execPath, ['examples/server.js', '0'], { cwd: root });
  try {
    const line = await new Promise<string>((told) => {
      server.stdout.once('data', (part: Buffer) => told(part.toString()));
    });
    const url = /http:\S+/.exec(line)?.[0] as string;
    const bad = await fetch(url, { method: 'POST', body: 'no image' });
    expect([bad.status, await bad.text()]).toEqual([400, expect.stringContaining('not an image')]);
    const { encodeImage } = await import('../../src/image/write.ts');
    const body = new Uint8Array(await encodeImage(picture(16), 'png'));
    const good = await fetch(url, { method: 'POST', body });
    expect([good.status, good.headers.get('content-type')]).toEqual([200, 'image/png']);
    expect((await good.arrayBuffer()).byteLength).toBeGreaterThan(100);
  } finally {
    server.kill();
  }
});
