/** An ε-network of convolutions, a normalization and an activation, to try devices out with. */
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Value } from '../onnx/graph.ts';
import { initializerFrom } from '../onnx/initializer.ts';
import { gaussian, noiseKey } from '../tensor/noise.ts';

export interface Sizes {
  readonly size?: number;
  readonly channels?: number;
  /** Of the layers in between. */
  readonly width?: number;
  readonly seed?: number;
}

/** eps(x, t): x `[1,channels,size,size]`, t `[1]` from 0 to 999. */
export function probeNetwork({ size = 16, channels = 3, width = 16, seed = 0 }: Sizes = {}): Graph {
  const b = new GraphBuilder();
  const key = noiseKey(seed, 'probe');
  const x = b.input('x', 'float32', [1, channels, size, size]);
  const t = b.input('t', 'float32', [1]);
  let layers = 0;
  const weight = (...shape: number[]): Value => {
    const { data } = gaussian(key, 'sample', ++layers, shape);
    const inputs = shape.slice(1).reduce((n, d) => n * d, 1);
    const values = data.map((v) => v / Math.sqrt(inputs));
    return b.initializer(`w${layers}`, initializerFrom('float32', shape, values));
  };
  const conv = (name: string, from: Value, to: number): Value => {
    b.scope = `/${name}`;
    const w = weight(to, from.shape[1] as number, 3, 3);
    return b.op('Conv', [from, w], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  };
  const first = conv('first', x, width);
  b.scope = '/time';
  const level = b.reshape(b.scale(t, 1e-3), [1, 1, 1, 1]);
  const timed = b.add(first, b.mul(weight(1, width, 1, 1), level));
  b.scope = '/norm';
  const grouped = b.reshape(timed, [1, 4, (width / 4) * size * size]);
  const [scale, bias] = [b.constant([1, 1, 1, 1]), b.constant([0, 0, 0, 0])];
  const normal = b.reshape(b.op('InstanceNormalization', [grouped, scale, bias]), first.shape);
  b.scope = '/act';
  const active = b.mul(normal, b.op('Sigmoid', [normal]));
  const middle = conv('middle', active, width);
  b.scope = '/skip';
  const out = conv('last', b.add(middle, first), channels);
  b.output(out, 'eps');
  return b.graph;
}
