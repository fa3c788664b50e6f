/** What a gradient rule is, and what it is given. */
import type { NodeProto } from 'onnx-buf';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { DType } from '../onnx/dtype.ts';
import type { Value } from '../onnx/graph.ts';
import { NodeView } from '../onnx/node-view.ts';

/** How derived graphs are written where more than one form is right. */
export interface Forms {
  /**
   * The input gradient of a stride-1 convolution: a convolution with the kernel flipped, which is
   * faster on the CPU and stores a second copy of the weights, or a transposed convolution.
   */
  readonly convolution: 'flipped' | 'transposed';
  /**
   * An InstanceNormalization on the path: rewritten into a LayerNormalization, which puts out the
   * statistics that its gradient needs, or kept, and its statistics computed twice.
   */
  readonly normalization: 'layer' | 'instance';
  /**
   * What the backward pass computes again instead of keeping it: nothing, values that follow cheaply
   * from what is kept anyway, or all but a few checkpoints, at up to one more forward pass.
   */
  readonly recompute: 'nothing' | 'cheap' | 'most';
  /**
   * The gradient of a large normalization with an activation after it: a few channels at a time, so
   * that what lies in between stays in the cache of a CPU, or all at once.
   */
  readonly normalizedSilu: 'sliced' | 'whole';
  /**
   * The weights of large attentions: kept for the backward pass, or computed again there, all of an
   * attention's at once or those of a block of queries at a time.
   */
  readonly attention: 'kept' | 'whole' | 'sliced';
}

/** A node whose gradient is being written. */
export class RuleContext extends NodeView {
  readonly b: GraphBuilder;
  readonly forms: Forms;
  /** Gradients of the outputs by slot; undefined where nothing depends on an output. */
  readonly gradients: readonly (Value | undefined)[];
  readonly #shared = new Map<string, unknown>();

  constructor(
    b: GraphBuilder,
    node: NodeProto,
    gradients: readonly (Value | undefined)[],
    forms: Forms,
  ) {
    super(b.graph, node);
    this.b = b;
    this.gradients = gradients;
    this.forms = forms;
  }

  /** Gradient of the first output. */
  get g(): Value {
    return this.present(this.gradients[0], 'gradient of output 0');
  }
  /** An optional output of the forward node, switched on if it was not yet. */
  output(slot: number, type: { dtype: DType; shape: readonly number[] }): Value {
    const known = this.graph.values.get(this.node.output[slot] ?? '');
    if (known) return known;
    const value = { name: `${this.y.name}/output.${slot}`, ...type };
    while (this.node.output.length < slot) this.node.output.push('');
    this.node.output[slot] = value.name;
    this.graph.values.set(value.name, value);
    return value;
  }
  /** What the gradients of several inputs have in common, made once. */
  shared<T>(key: string, make: () => T): T {
    if (!this.#shared.has(key)) this.#shared.set(key, make());
    return this.#shared.get(key) as T;
  }
}

/**
 * The gradient of one input. It may have any shape that broadcasts with the input's, either way:
 * the driver sums what was broadcast and expands what was reduced.
 */
export type SlotGradient = (c: RuleContext) => Value;

export interface Rule {
  /**
   * The gradient of the input in `slot`; null where the output is flat in it (conditions, positions),
   * undefined where there is no rule: a float input there on the path is an obstacle.
   */
  readonly slot: (slot: number) => SlotGradient | null | undefined;
  /** Why this node cannot be differentiated though its operator can; undefined if it can. */
  readonly refuse?: ((c: NodeView) => string | undefined) | undefined;
  /** Whether the gradients of all outputs are taken into account; else only the first one's is. */
  readonly allOutputs?: boolean;
  /**
   * The node's outputs by slot, by operators that have rules of their own: for one that is many steps in
   * one. Before gradients are taken it is replaced by them; `refuse` had nothing against it then.
   */
  readonly expand?: (b: GraphBuilder, v: NodeView) => readonly Value[];
  /**
   * What it does with integers that stand for real numbers: `made` of floats, which gradients pass, or
   * `passed`, their gradients being floats. Without it integers carry no gradient.
   */
  readonly integers?: 'made' | 'passed';
}

type Refuse = Rule['refuse'];

/** A rule by input slot: null for one that the output is flat in. */
export function rule(...slots: (SlotGradient | null)[]): Rule {
  return { slot: (i) => slots[i] };
}

/** One gradient for every input of a variadic operator. */
export function every(gradient: (c: RuleContext, slot: number) => Value): Rule {
  return { slot: (i) => (c) => gradient(c, i) };
}

/** The rule of an operator whose gradient, by the inputs in `slots`, is that of what it is written as. */
export function writtenAs(slots: readonly number[], expand: NonNullable<Rule['expand']>): Rule {
  const never = ({ node }: RuleContext): never => {
    throw new Error(`${node.opType} ${node.name}: should have been replaced`);
  };
  return { slot: (i) => (slots.includes(i) ? never : undefined), allOutputs: true, expand };
}

/** The operator has no gradient: what comes out is constant as far as calculus goes. */
export const noGradient: Rule = { slot: () => null };

/** `base` for the nodes that `refuse` has nothing against. */
export function unless(refuse: NonNullable<Refuse>, base: Rule): Rule {
  return { ...base, refuse };
}

/** `base`, which gradients of quantized integers pass too. */
export function passingIntegers(base: Rule): Rule {
  return { ...base, integers: 'passed' };
}

/** A rule for each operator set in which the operator changed its form, by first version. */
export type RuleBySet = { readonly since: Readonly<Record<number, Rule>> };

export type RuleTable = Readonly<Record<string, Rule | RuleBySet>>;
