/** The names that a PyTorch state dict may import, and what stands in for each. */
import type { DType } from '../onnx/dtype.ts';
import type { Global } from './pickle.ts';

/** Element type of each storage class of PyTorch. */
const storages: Readonly<Record<string, DType>> = {
  'torch.FloatStorage': 'float32',
  'torch.HalfStorage': 'float16',
  'torch.BFloat16Storage': 'bfloat16',
  'torch.DoubleStorage': 'float64',
  'torch.LongStorage': 'int64',
  'torch.IntStorage': 'int32',
  'torch.ShortStorage': 'int16',
  'torch.CharStorage': 'int8',
  'torch.ByteStorage': 'uint8',
  'torch.BoolStorage': 'bool',
};

export function storageType(value: unknown): DType | undefined {
  const name = (value as Partial<Global> | null)?.qualified;
  return name === undefined ? undefined : storages[name];
}

/** Where training leaves numbers and settings beside the weights: read over, never used. */
const inert = [
  'torch.Size',
  'torch.device',
  'numpy.dtype',
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray.scalar',
  'numpy.core.multiarray._reconstruct',
  'numpy._core.multiarray._reconstruct',
  '_codecs.encode',
  'argparse.Namespace',
  'pathlib.PosixPath',
  ...['__builtin__', 'builtins'].flatMap((m) => ['int', 'long', 'complex'].map((n) => `${m}.${n}`)),
];
/** What Lightning and OmegaConf leave of callbacks and settings, by its beginning. */
const inertModules = /^(pytorch_lightning|lightning|lightning_fabric|omegaconf|typing)\./;
/** Classes that are only passed on. */
const names = [
  ...Object.keys(storages),
  'numpy.ndarray',
  ...['float16', 'bfloat16', 'float32', 'float64', 'int64', 'int32', 'uint8', 'bool'].map(
    (dtype) => `torch.${dtype}`,
  ),
];

/**
 * @param tensor makes a tensor of the arguments of `torch._utils._rebuild_tensor_v2`: storage,
 * offset, size and stride in elements
 */
export function torchGlobals(
  tensor: (args: readonly unknown[]) => unknown,
): (qualified: string) => Global | undefined {
  const calls: Record<string, Global['call']> = {
    'torch._utils._rebuild_tensor_v2': tensor,
    'torch._utils._rebuild_parameter': ([data]) => data,
    'collections.OrderedDict': () => new Map(),
    'collections.defaultdict': () => new Map(),
    'collections.Counter': () => new Map(),
    'builtins.set': ([items]) => new Set(Array.isArray(items) ? items : []),
    '__builtin__.set': ([items]) => new Set(Array.isArray(items) ? items : []),
    ...Object.fromEntries(inert.map((name) => [name, () => null])),
  };
  const list = new Map<string, Global>([
    ...Object.entries(calls).map(([qualified, call]): [string, Global] => [
      qualified,
      call ? { qualified, call } : { qualified },
    ]),
    ...names.map((qualified): [string, Global] => [qualified, { qualified }]),
  ]);
  return (qualified) =>
    list.get(qualified) ??
    (inertModules.test(qualified) ? { qualified, call: () => null } : undefined);
}
