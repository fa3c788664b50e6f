/**
 * OpenVINO through its C interface. Plain JavaScript, because a session's thread runs it too, built
 * or not; see worker.js.
 *
 * Types and shapes come from the graph, and tensors are written and read in place, so that none of
 * the interface's structures and enumerations, which differ between releases, are needed.
 */

/**
 * @typedef {import('./thread.ts').RunnerInput} RunnerInput
 * @typedef {import('./thread.ts').RawTensor} RawTensor
 * @typedef {import('./thread.ts').Runner} Runner
 * @typedef {import('./openvino.ts').OpenVinoOptions} OpenVinoOptions
 */

/** @type {Partial<Record<import('../onnx/dtype.ts').DType, any>>} */
const constructors = {
  float32: Float32Array,
  float16: Uint16Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

/** @param {string} file */
async function bind(file) {
  const { default: koffi } = await import('koffi').catch((cause) => {
    throw new Error('the npm package koffi is missing (npm install koffi)', { cause });
  });
  const library = koffi.load(file);
  const status = library.func('str ov_get_last_err_msg()');
  /** A function whose status is checked. @param {string} name @param {string} parameters */
  const call = (name, parameters) => {
    const run = library.func(`int ${name}(${parameters})`);
    return (/** @type {any[]} */ ...given) => {
      if (run(...given) !== 0) throw new Error(status()?.trim() || `${name} failed`);
    };
  };
  /** A function whose last parameter receives what it makes. @param {string} name @param {string} parameters */
  const make = (name, parameters) => {
    const run = call(name, `${parameters}, _Out_ void **made`);
    return (/** @type {any[]} */ ...given) => {
      const made = [null];
      run(...given, made);
      return made[0];
    };
  };
  /** @param {string} what */
  const free = (what) => library.func(`void ov_${what}_free(void *it)`);
  return {
    view: koffi.view,
    core: call('ov_core_create', '_Out_ void **made'),
    readFile: make('ov_core_read_model', 'void *core, str file, str weights'),
    readBytes: make(
      'ov_core_read_model_from_memory_buffer',
      'void *core, uint8_t *bytes, size_t length, void *weights',
    ),
    compile: call(
      'ov_core_compile_model',
      'void *core, void *model, str device, size_t count, _Out_ void **made, ...',
    ),
    property: call('ov_compiled_model_get_property', 'void *compiled, str key, _Out_ void **value'),
    text: (/** @type {unknown} */ pointer) => String(koffi.decode(pointer, 'char', -1)),
    freeText: library.func('void ov_free(void *text)'),
    request: make('ov_compiled_model_create_infer_request', 'void *compiled'),
    tensor: make('ov_infer_request_get_tensor', 'void *request, str name'),
    byteSize: call('ov_tensor_get_byte_size', 'void *tensor, _Out_ size_t *size'),
    data: make('ov_tensor_data', 'void *tensor'),
    infer: call('ov_infer_request_infer', 'void *request'),
    freeModel: free('model'),
    freeCompiled: free('compiled_model'),
    freeRequest: free('infer_request'),
    freeTensor: free('tensor'),
  };
}

/** @type {Map<string, Promise<Awaited<ReturnType<typeof bind>> & { handle: unknown }>>} */
const opened = new Map();

/** The library with its core, which lives as long as the thread: plug-ins load into it once. */
function openLibrary(/** @type {string} */ file) {
  const known = opened.get(file);
  if (known) return known;
  const made = bind(file).then((ov) => {
    const core = [null];
    ov.core(core);
    return { ...ov, handle: core[0] };
  });
  opened.set(file, made);
  return made;
}

/**
 * Loads a model on the CPU.
 * @param {RunnerInput['model']} model
 * @param {OpenVinoOptions} options
 * @returns {Promise<Runner>}
 */
export async function createOpenVino(model, { library, inputs, outputs, properties }) {
  const unreadable = outputs.find(({ dtype }) => !constructors[dtype]);
  if (unreadable)
    throw new Error(
      `output '${unreadable.name}' is of type ${unreadable.dtype}, which cannot be read`,
    );
  const ov = await openLibrary(library);
  const read =
    typeof model === 'string'
      ? ov.readFile(ov.handle, model, null)
      : ov.readBytes(ov.handle, model, model.byteLength, null);
  const settings = Object.entries(properties).flat();
  const made = [null];
  try {
    const given = settings.flatMap((text) => ['str', text]);
    ov.compile(ov.handle, read, 'CPU', settings.length, made, ...given);
  } finally {
    ov.freeModel(read);
  }
  const compiled = made[0];
  /** @type {unknown} */
  let request;
  try {
    for (const [key, asked] of Object.entries(properties)) {
      const value = [null];
      ov.property(compiled, key, value);
      const got = ov.text(value[0]);
      ov.freeText(value[0]);
      if (got !== asked) throw new Error(`asked for ${key} ${asked}, this processor has ${got}`);
    }
    request = ov.request(compiled);
  } catch (error) {
    ov.freeCompiled(compiled);
    throw error;
  }
  /** The memory of a tensor. @param {string} name */
  const memory = (name) => {
    const tensor = ov.tensor(request, name);
    const size = [0];
    ov.byteSize(tensor, size);
    const bytes = new Uint8Array(ov.view(ov.data(tensor), Number(size[0])));
    ov.freeTensor(tensor);
    return bytes;
  };
  /** Of inputs that nothing reads, a model that was read from memory has none. @param {string} name */
  const isThere = (name) => {
    try {
      ov.freeTensor(ov.tensor(request, name));
      return true;
    } catch {
      return false;
    }
  };
  const fed = inputs.filter(({ name }) => isThere(name));
  return {
    inputs: inputs.map(({ name, dtype, shape }) => ({
      name,
      isTensor: /** @type {const} */ (true),
      type: /** @type {any} */ (dtype),
      shape,
    })),
    /** @param {Record<string, RawTensor>} feeds */
    async run(feeds) {
      for (const { name } of fed) {
        const { data } = /** @type {RawTensor} */ (feeds[name]);
        const { buffer, byteOffset, byteLength } = /** @type {Uint8Array} */ (data);
        memory(name).set(new Uint8Array(buffer, byteOffset, byteLength));
      }
      ov.infer(request);
      /** @type {Record<string, RawTensor>} */
      const results = {};
      for (const { name, dtype, shape } of outputs) {
        const { buffer } = memory(name).slice();
        const data = new constructors[dtype](buffer);
        results[name] = { type: /** @type {any} */ (dtype), data, dims: shape };
      }
      return results;
    },
    async release() {
      ov.freeRequest(request);
      ov.freeCompiled(compiled);
    },
  };
}
