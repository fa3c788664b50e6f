/** `dsg/autodiff`: gradients of any ONNX graph, for use without the rest of dsg. */
export { differentiate, type DifferentiateOptions } from './autodiff/differentiate.ts';
export { gradients, activeNodes, type GradientOptions } from './autodiff/gradients.ts';
export { obstacles, type Obstacle } from './autodiff/obstacles.ts';
export { GraphBuilder } from './onnx/builder.ts';
export type { Bindings } from './onnx/dims.ts';
export type { Graph, Value } from './onnx/graph.ts';
export { parseModel, readModel, type OnnxModel } from './onnx/read.ts';
export { encodeGraph, writeGraph } from './onnx/write.ts';
export { resolveGraph } from './session/resolve.ts';
export { openGraph, type Session } from './session/session.ts';
export { UserError } from './errors.ts';
